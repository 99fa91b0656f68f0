"""The JSON file of a fusion, and the rule it names."""

import json

import numpy as np
import pytest

from mmmed.inference.fusion_spec import FusionRule, FusionSpec

PLANES = {
    'axial': {'config': 'axial.py', 'checkpoints': ['a0.pth', 'a1.pth']},
    'coronal': {'config': '/elsewhere/coronal.py', 'checkpoints': 'c.pth'},
}


def write(folder, **more):
    path = folder / 'fusion.json'
    path.write_text(json.dumps({**PLANES, **more}))
    return path


def test_relative_paths_start_from_the_folder_of_the_file(tmp_path):
    spec = FusionSpec.read(write(tmp_path))
    axial, coronal = spec.planes['axial'], spec.planes['coronal']
    assert axial == (tmp_path / 'axial.py', (tmp_path / 'a0.pth', tmp_path / 'a1.pth'))
    assert str(coronal[0]) == '/elsewhere/coronal.py'
    assert spec.rule == FusionRule()


def test_rule_and_weights_are_read(tmp_path):
    weights = {'axial': 0.75, 'coronal': 0.25}
    path = write(
        tmp_path, rule='weighted', weights=weights, threshold=0.4, min_component_mm3=9
    )
    rule = FusionSpec.read(path).rule
    assert rule == FusionRule('weighted', 0.4, weights, 9.0)
    assert rule.list_weights(('coronal', 'axial')) == [0.25, 0.75]


@pytest.mark.parametrize(
    ('more', 'message'),
    [
        ({'oblique': PLANES['axial']}, 'no plane'),
        ({'axial': {'config': 'a.py'}}, 'axial is'),
        ({'axial': {'config': 'a.py', 'checkpoints': []}}, 'no checkpoints'),
        ({'axial': {'config': 'a.py', 'checkpoints': [3]}}, 'axial is'),
        ({'rule': 'median'}, 'median'),
        ({'rule': 'weighted'}, 'needs'),
        ({'weights': {'axial': 1, 'coronal': 1}}, 'needs'),
        ({'rule': 'weighted', 'weights': {'axial': 1}}, 'expected the same planes'),
        ({'rule': 'weighted', 'weights': [1, 2]}, 'plane: number'),
        ({'threshold': 0}, 'threshold'),
        ({'threshold': None}, 'not usable'),
        ({'min_component_mm3': -1}, 'min_component_mm3'),
    ],
)
def test_wrong_files_name_themselves(tmp_path, more, message):
    path = write(tmp_path, **more)
    with pytest.raises(ValueError, match=message) as caught:
        FusionSpec.read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize('text', ['[]', '{}', 'nothing', '{"rule": "mean"}'])
def test_what_is_no_spec_is_refused(tmp_path, text):
    path = tmp_path / 'fusion.json'
    path.write_text(text)
    with pytest.raises(ValueError, match=r'fusion\.json'):
        FusionSpec.read(path)
    with pytest.raises(FileNotFoundError, match='does not exist'):
        FusionSpec.read(tmp_path / 'absent.json')


def test_the_rule_fuses_and_filters():
    probs = {
        'axial': np.full((2, 3, 5), 0.2, np.float32),
        'sagittal': np.full((2, 3, 5), 0.3, np.float32),
    }
    probs['axial'][0, 0, :2] = 0.9
    probs['sagittal'][1, 2, 4] = 0.9
    spacing = (3.0, 0.5, 1.0)
    assert FusionRule().apply(probs, spacing).sum() == 3
    assert FusionRule(min_component_mm3=3.0).apply(probs, spacing).sum() == 2
    assert FusionRule('vote', 0.91).apply(probs, spacing).sum() == 0
    weighted = FusionRule('weighted', 0.8, {'sagittal': 1.0, 'axial': 0.0})
    assert np.argwhere(weighted.apply(probs, spacing)).tolist() == [[1, 2, 4]]
