import pytest

from mmmed.datasets.cranium import CraniumDataset
from mmmed.registry import DATASETS


def test_is_built_by_its_prefixed_name(prepared):
    config = {'type': 'mmmed.CraniumDataset', 'data_root': str(prepared)}
    dataset = DATASETS.build(config)
    assert len(dataset) == 12
    assert dataset.metainfo['classes'] == ['background', 'hemorrhage']


def test_holds_facts_only():
    assert '__init__' not in vars(CraniumDataset)


def test_palette_fits_the_classes():
    meta = CraniumDataset.METAINFO
    assert len(meta['palette']) == len(meta['classes']) == 2


def test_missing_manifest_names_its_own_command(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'prepare_dataset\.py cranium '):
        CraniumDataset(str(tmp_path))


def test_another_data_set_is_refused(make_prepared, monkeypatch):
    monkeypatch.setitem(CraniumDataset.METAINFO, 'classes', ['background', 'liver'])
    with pytest.raises(ValueError, match='points at another data set'):
        CraniumDataset(str(make_prepared()))
