import json
import os

import pytest
import torch

from mmmed.files import hash_file
from mmmed.inference.cascade.weights import WeightsError, load_gate, load_segmenter

ANATOMY = [{'anatomy': ('spine',)}]
PLACE = [
    {'location_view': ('cervical_sagittal',)},
    {'location': ('cervical',), 'view': ('sagittal',)},
]


def change_meta(path, key, **changes):
    checkpoint = torch.load(path, weights_only=True)
    checkpoint['meta'][key].update(changes)
    torch.save(checkpoint, path)
    return path


def test_a_gate_knows_its_classes_its_hash_and_its_temperature(parts, tmp_path):
    path = parts.save_gate(tmp_path / 'anatomy.pth', ['anatomy'])
    calibration = {'by_iteration': {'7': {'anatomy': {'temperature': 2.5}}}}
    (tmp_path / 'anatomy.calibration.json').write_text(json.dumps(calibration))
    gate = load_gate(path, 'anatomy', ANATOMY)
    assert gate.targets == {'anatomy': ('spine', 'head', 'abdomen', 'other')}
    assert gate.sha256 == hash_file(path)
    assert gate.temperatures == {'anatomy': 2.5}
    assert gate.title == 'test_resnet'


def test_two_heads_serve_as_well_as_one_of_ten_classes(parts, tmp_path):
    joint = parts.save_gate(tmp_path / 'joint.pth', ['location_view'])
    heads = parts.save_gate(tmp_path / 'heads.pth', ['location', 'view', 'sequence'])
    stage = 'spine_location_view'
    assert list(load_gate(joint, stage, PLACE).targets) == ['location_view']
    assert list(load_gate(heads, stage, PLACE).targets) == ['location', 'view']


def test_weights_of_another_class_map_are_refused(parts, tmp_path):
    path = parts.save_gate(tmp_path / 'anatomy.pth', ['sequence'])
    with pytest.raises(WeightsError) as caught:
        load_gate(path, 'anatomy', ANATOMY)
    for part in (str(path), "stage 'anatomy'", 'T2starw', "expected 'anatomy'"):
        assert part in str(caught.value)
    names = {'anatomy': ('mr_spine', 'mr_brain')}
    path = parts.save_gate(
        tmp_path / 'names.pth',
        ['anatomy'],
        names=names,
        probs={'anatomy': {'mr_spine': 0.9}},
    )
    with pytest.raises(WeightsError, match=r"\['mr_spine', 'mr_brain'\], expected"):
        load_gate(path, 'anatomy', ANATOMY)
    names = {'anatomy': ('head', 'other')}
    path = parts.save_gate(
        tmp_path / 'fewer.pth',
        ['anatomy'],
        names=names,
        probs={'anatomy': {'head': 0.9}},
    )
    with pytest.raises(WeightsError, match=r"without \['spine'\], which the settings"):
        load_gate(path, 'anatomy', ANATOMY)


def test_segmentors_of_another_task_are_refused(weights_folder):
    lesion = weights_folder / 'lesion_segmentation.pth'
    with pytest.raises(WeightsError, match=r"trained for 'lesion' .* expected 'cord'"):
        load_segmenter(lesion, 'cord_segmentation', 'cord')
    with pytest.raises(WeightsError, match='is a classifier'):
        load_segmenter(weights_folder / 'anatomy.pth', 'cord_segmentation', 'cord')
    with pytest.raises(WeightsError, match='does not say which classes'):
        load_gate(lesion, 'anatomy', ANATOMY)


class Bomb:
    def __reduce__(self):
        return os.system, ('touch exploded',)


def test_a_pickle_bomb_and_a_torn_file_are_refused(parts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bomb = tmp_path / 'anatomy.pth'
    torch.save({'state_dict': {}, 'meta': {'classification': Bomb()}}, bomb)
    with pytest.raises(WeightsError, match=r'anatomy\.pth.*system'):
        load_gate(bomb, 'anatomy', ANATOMY)
    assert not (tmp_path / 'exploded').exists()
    torn = parts.save_segmenter(tmp_path / 'torn.pth', 'cord', 0.5)
    torn.write_bytes(torn.read_bytes()[:2000])
    with pytest.raises(WeightsError, match=r'torn\.pth cannot be read'):
        load_segmenter(torn, 'cord_segmentation', 'cord')
    with pytest.raises(WeightsError, match='does not exist'):
        load_segmenter(tmp_path / 'absent.pth', 'cord_segmentation', 'cord')


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        ({'schema_version': 9}, 'version 9, expected 1'),
        ({'classes': ['cord']}, 'two classes'),
        ({'pixel_mm': -1}, 'pixel_mm is -1'),
        ({'planes': ['oblique']}, "planes are \\['oblique'\\]"),
        ({'intensity': {'rule': 'stored'}}, 'expected the rule "percentile"'),
        ({'size_divisor': 0}, 'size_divisor is 0'),
        ({'model': {'type': 'mmmed.MedEncoderDecoder', 'x': {'type': 'os.system'}}},
         'no model of mmmed'),
    ],
)  # fmt: skip
def test_descriptions_that_cannot_be_used_say_why(parts, tmp_path, changes, reason):
    path = parts.save_segmenter(tmp_path / 'cord.pth', 'cord', 0.5)
    change_meta(path, 'segmentation', **changes)
    with pytest.raises(WeightsError, match=reason):
        load_segmenter(path, 'cord_segmentation', 'cord')


@pytest.mark.parametrize(
    ('pipeline', 'reason'),
    [
        ([{'type': 'mmmed.FitSlice', 'pixel_mm': 1.0}], 'no fixed size'),
        ([{'type': 'mmmed.RandomFlipSlice'}], 'cannot be repeated'),
        ([{'type': 'mmmed.FitSlice', 'size': [10**6, 4]}], 'at most 2048'),
    ],
)
def test_slices_that_cannot_be_made_are_refused(parts, tmp_path, pipeline, reason):
    path = parts.save_gate(tmp_path / 'anatomy.pth', ['anatomy'], pipeline=pipeline)
    with pytest.raises(WeightsError, match=reason):
        load_gate(path, 'anatomy', ANATOMY)


def fill_with_nan(checkpoint):
    next(iter(checkpoint['state_dict'].values())).fill_(float('nan'))


def get_step(checkpoint, number):
    return checkpoint['meta']['classification']['pipeline'][number]


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (fill_with_nan, 'hold NaN or infinity'),
        (lambda c: c.update(state_dict=[1]), 'stage .anatomy.'),
        (
            lambda c: c['meta']['classification']['pipeline'][1].update(size=5),
            'not iterable',
        ),
        (lambda c: get_step(c, 2).update(low=None), 'None'),
    ],
    ids=['nan', 'state', 'size', 'window'],
)
def test_nothing_that_a_gate_holds_ends_in_a_traceback(parts, tmp_path, change, words):
    path = parts.save_gate(tmp_path / 'anatomy.pth', ['anatomy'])
    checkpoint = torch.load(path, weights_only=True)
    change(checkpoint)
    torch.save(checkpoint, path)
    with pytest.raises(WeightsError, match=words):
        load_gate(path, 'anatomy', ANATOMY)


def test_a_network_too_large_for_memory_is_refused(parts, tmp_path):
    path = parts.save_segmenter(tmp_path / 'cord.pth', 'cord', 0.35)
    checkpoint = torch.load(path, weights_only=True)
    model = checkpoint['meta']['segmentation']['model']
    model['backbone']['features'] = 10**15
    torch.save(checkpoint, path)
    with pytest.raises(WeightsError, match='memory'):
        load_segmenter(path, 'cord_segmentation', 'cord')
