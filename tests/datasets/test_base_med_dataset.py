import json
from pathlib import Path

import numpy as np
import pytest
from mmengine.dataset import ClassBalancedDataset, ConcatDataset, RepeatDataset

from mmmed.datasets.base_med_dataset import MedSegDataset
from mmmed.datasets.draw import Draw


def first_numbers(sample: dict) -> list[float]:
    return sample['rng'].random(3).tolist()


@pytest.mark.parametrize(
    ('split', 'fold', 'name', 'patients'),
    [
        (None, None, 'all', {'049', '050', '051'}),
        ('train', None, 'train', {'049', '050'}),
        ('val', None, 'val', {'051'}),
        ('train', 0, 'train-fold0', {'050', '051'}),
        ('val', 0, 'val-fold0', {'049'}),
    ],
)
def test_selects_split_and_fold(prepared, split, fold, name, patients):
    dataset = MedSegDataset(str(prepared), split=split, fold=fold)
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert {info['patient_id'] for info in infos} == patients
    assert (len(dataset), dataset.split_name) == (4 * len(patients), name)


def test_item_holds_what_transforms_need(prepared):
    item = MedSegDataset(str(prepared), split='val')[1]
    assert isinstance(item.pop('rng'), np.random.Generator)
    assert item.pop('sha256').keys() == {'img', 'seg'}
    assert item == {
        'case_id': '051_1',
        'patient_id': '051',
        'slice_index': 1,
        'img_path': str(prepared / 'images' / 'val' / '051_1.png'),
        'seg_map_path': str(prepared / 'masks' / 'val' / '051_1.png'),
        'split': 'val',
        'fold': 2,
        'height': 40,
        'width': 28,
        'spacing': [0.5, 0.8],
        'foreground_pixels': 0,
        'positive': False,
        'seg_fields': [],
        'reduce_zero_label': False,
        'label_map': None,
        'sample_idx': 1,
        'data_root': str(prepared),
        'channels': 1,
    }


def test_paths_are_absolute_for_a_relative_root(prepared, monkeypatch):
    monkeypatch.chdir(prepared.parent)
    item = MedSegDataset('prepared')[0]
    monkeypatch.chdir('/')
    assert Path(item['img_path']).is_file()


def test_missing_manifest_names_the_command(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'tools/prepare_dataset\.py .* --out'):
        MedSegDataset(str(tmp_path))


def test_empty_selection_is_refused(prepared):
    path = prepared / 'manifest.json'
    value = json.loads(path.read_text())
    value['data_list'] = [c for c in value['data_list'] if c['split'] == 'train']
    path.write_text(json.dumps(value))
    with pytest.raises(ValueError, match=r"no case in 'val' \(of 8\)"):
        MedSegDataset(str(prepared), split='val')


def test_unknown_fold_is_refused(prepared):
    with pytest.raises(ValueError, match='no fold 3, expected 0 to 2'):
        MedSegDataset(str(prepared), split='val', fold=3)


def test_negative_seed_is_refused(prepared):
    with pytest.raises(ValueError, match='seed is -1'):
        MedSegDataset(str(prepared), seed=-1)


def test_classes_and_palette_come_from_the_manifest(prepared):
    meta = MedSegDataset(str(prepared)).metainfo
    assert meta['classes'] == ['background', 'hemorrhage']
    assert meta['palette'] == [[0, 0, 0], [213, 94, 0]]


def test_draw_alone_decides_the_numbers(prepared):
    first, second = MedSegDataset(str(prepared)), MedSegDataset(str(prepared))
    numbers = first_numbers(first[Draw(2, draw=90, seed=1)])
    assert numbers == first_numbers(second[Draw(5, draw=90, seed=1)])
    assert numbers != first_numbers(first[Draw(2, draw=91, seed=1)])
    assert numbers != first_numbers(first[Draw(2, draw=90, seed=2)])
    assert numbers != first_numbers(
        MedSegDataset(str(prepared), seed=1)[Draw(2, draw=90, seed=1)]
    )


def test_numbers_of_a_draw_are_those_of_the_documented_seed(prepared):
    sample = MedSegDataset(str(prepared), seed=4)[Draw(0, draw=90, seed=1)]
    expected = np.random.default_rng(np.random.SeedSequence((4, 1, 90))).random(3)
    assert first_numbers(sample) == expected.tolist()


def test_plain_index_in_test_mode_is_repeatable(prepared):
    dataset = MedSegDataset(str(prepared), test_mode=True)
    assert first_numbers(dataset[3]) == first_numbers(dataset[3])
    assert first_numbers(dataset[-1]) == first_numbers(dataset[11])
    assert first_numbers(dataset[3]) != first_numbers(dataset[4])


def test_plain_index_in_training_follows_the_worker(prepared, monkeypatch):
    dataset = MedSegDataset(str(prepared))
    # A worker's global state, put back afterwards.
    state = np.random.get_state()
    try:
        np.random.seed(11)
        numbers = [first_numbers(dataset[3]) for _ in range(2)]
        np.random.seed(11)
        assert first_numbers(dataset[3]) == numbers[0] != numbers[1]
    finally:
        np.random.set_state(state)


def test_wrappers_keep_the_draw(prepared):
    inner = MedSegDataset(str(prepared))
    numbers = first_numbers(inner[Draw(1, draw=90)])
    for wrapped in (RepeatDataset(inner, times=2), ConcatDataset([inner, inner])):
        assert wrapped[Draw(13, draw=90)]['case_id'] == '049_1'
        assert first_numbers(wrapped[Draw(13, draw=90)]) == numbers


def test_class_balanced_dataset_repeats_positives(prepared):
    inner = MedSegDataset(str(prepared))
    positive = [inner.is_positive(i) for i in range(12)]
    assert positive == [True] + [False] * 3 + [True] * 2 + [False] * 2 + positive[:4]
    # Frequency of class 1 is 4/12, so sqrt(1 / (1/3)) = 1.73, rounded up to 2.
    balanced = ClassBalancedDataset(inner, oversample_thr=1.0)
    assert len(balanced) == 8 + 2 * 4


def test_subset_keeps_its_flags(prepared):
    subset = MedSegDataset(str(prepared)).get_subset([3, 4])
    assert [subset.is_positive(i) for i in range(2)] == [False, True]
    assert subset[1]['channels'] == 1
