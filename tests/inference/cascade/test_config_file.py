"""YAML to settings: every promised key, the command line first, mistakes by name."""

import re
from pathlib import Path

import pytest

from mmmed.inference.cascade.config_file import SpineConfig, read_config

PROMISED = """
processing: {batch_size: 4, confidence_threshold: 0.4, gpu_device: -1, on_reject: warn}
models:
  anatomy: {checkpoint: a.pth, threshold: 0.6}
  spine_location_view: {checkpoint: b.pth, threshold: 0.9}
  spine_sequence: {checkpoint: c.pth, threshold: 0.5, accept: [T2w]}
  spinal_cord: {checkpoint: d.pth, min_area: 50}
  lesion_segmentation: {checkpoint: e.pth, post_process: false, min_lesion_size: 5}
output:
  generate_previews: false
  save_confidence_maps: false
  save_intermediate_results: true
  preview_slices: [10, 20, 30]
"""


def write(tmp_path, text):
    (tmp_path / 'spine.yaml').write_text(text)
    return tmp_path / 'spine.yaml'


def test_every_promised_key(tmp_path):
    config = read_config(write(tmp_path, PROMISED))
    assert config.processing.confidence_threshold == 0.4
    assert config.processing.on_reject == 'warn'
    assert config.models.spine_location_view.threshold == 0.9
    assert config.models.spine_sequence.accept == ('T2w',)
    assert config.models.spinal_cord.min_area == 50
    assert config.models.lesion_segmentation.post_process is False
    assert config.output.preview_slices == (10, 20, 30)
    assert config.cascade.models is config.models
    assert read_config() == SpineConfig()
    assert read_config(write(tmp_path, '# nothing')) == SpineConfig()


def test_the_command_line_beats_the_file(tmp_path):
    path = write(tmp_path, PROMISED)
    changes = {
        'processing.batch_size': 2,
        'processing.confidence_threshold': None,
        'output.generate_previews': True,
    }
    config = read_config(path, changes)
    assert config.processing.batch_size == 2
    assert config.processing.confidence_threshold == 0.4
    assert config.output.generate_previews is True
    assert read_config(None, changes).processing.batch_size == 2


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('procesing: {}', "unknown key 'procesing'; did you mean 'processing'"),
        ('processing: {batchsize: 4}', "did you mean 'processing.batch_size'?"),
        ('models: {brain: {}}', "unknown key 'models.brain'; known are anatomy"),
        ('processing: {batch_size: "4"}', "batch_size: got '4', expected a whole"),
        ('processing: {batch_size: true}', 'got True, expected a whole number'),
        ('processing: {batch_size: 0}', 'processing.batch_size is 0'),
        ('models: {anatomy: {threshold: 2}}', 'models.anatomy.threshold is 2.0'),
        ('models: {anatomy: {checkpoint: ../x}}', 'models.anatomy.checkpoint is'),
        ('models: 3', 'models: got 3, expected a section'),
        ('output: {generate_previews: 1}', 'got 1, expected true or false'),
        ('output: {preview_slices: [1, a]}', "got 'a', expected a whole number"),
        ('output: {preview_slices: -1}', 'output.preview_slices is'),
        ('[1, 2]', 'a list, expected sections'),
        ('a: [', 'not readable as YAML'),
        ('x: !!python/object/apply:os.system [ls]', 'not readable as YAML'),
        ('[' * 5000, 'not readable as YAML'),
    ],
)
def test_mistakes_are_named(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(ValueError, match='yaml: ') as caught:
        read_config(path)
    assert message in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'no.yaml does not exist'):
        read_config(tmp_path / 'no.yaml')


def test_the_documented_defaults_are_the_defaults(tmp_path):
    page = Path(__file__).resolve().parents[3] / 'docs/explanation/spine_cascade.md'
    (text,) = re.findall(r'```yaml\n(.*?)```', page.read_text(), re.DOTALL)
    assert read_config(write(tmp_path, text)) == SpineConfig()


def test_the_command_line_hides_no_section_that_is_none(tmp_path):
    path = write(tmp_path, 'processing: 5\n')
    with pytest.raises(ValueError, match='processing: got 5, expected a section'):
        read_config(path, {'processing.batch_size': 3})
    path = write(tmp_path, 'processing:\n')
    assert read_config(path, {'processing.batch_size': 3}).processing.batch_size == 3
