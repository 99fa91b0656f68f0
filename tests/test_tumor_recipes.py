"""Recipes of tumors: no case that is reported has chosen a checkpoint or trained it."""

from pathlib import Path

import pytest
from mmengine.config import Config

from mmmed.datasets import VolumeDataset
from mmmed.structures.manifest import Manifest
from mmmed.structures.manifest_rules import SCHEMA_VERSION
from mmmed.structures.volume_case import VolumeCase

ROOT = Path(__file__).resolve().parents[1] / 'configs'
RECIPES = sorted(
    path
    for organ in ('liver', 'kidney', 'pancreas', 'abdomen3mm')
    for path in ROOT.glob(f'*/*_{organ}-vol-*.py')
)
PARTS = ('train', 'val', 'test')


def write_manifest(root, folds_on):
    """Sixteen patients, every other with a tumor; the last four are held out."""
    cases = []
    for number in range(16):
        is_held_out, has_tumor = number >= 12, number % 2
        fold = None if is_held_out and folds_on == 'train' else number // 2 % 4
        cases.append(
            VolumeCase(
                f'case{number}', f'patient{number}', 'val' if is_held_out else 'train',
                fold, {'ct': f'volumes/{number}/ct.b2nd'}, f'volumes/{number}/seg.b2nd',
                (2, 3, 4), (3.0, 3.0, 3.0),
                ((0.0, 0.0, 3.0, 0.0), (0.0, 3.0, 0.0, 0.0), (3.0, 0.0, 0.0, 0.0),
                 (0.0, 0.0, 0.0, 1.0)),
                5, True, {'ct': '0' * 64, 'seg': '1' * 64},
                {'label_voxels': [19, 5 - has_tumor, has_tumor]},
            )
        )  # fmt: skip
    metainfo = {
        'schema_version': SCHEMA_VERSION,
        'dataset': 'liver', 'task': 'segmentation', 'unit': 'volume', 'channels': 1,
        'classes': ['background', 'liver', 'tumor'], 'channel_names': ['ct'],
        'num_folds': 4, 'folds_on': folds_on,
    }  # fmt: skip
    root.mkdir(exist_ok=True)
    Manifest(metainfo, tuple(cases)).write(root / 'manifest.json')
    return str(root)


def list_patients(config, part, root):
    options = dict(config[f'{part}_dataloader'].dataset)
    options |= {'data_root': root, 'pipeline': []}
    options.pop('type')
    dataset = VolumeDataset(**options)
    return {dataset.get_data_info(k)['patient_id'] for k in range(len(dataset))}


@pytest.mark.parametrize('path', RECIPES, ids=lambda p: p.stem)
def test_reported_patients_chose_and_trained_nothing(path, tmp_path):
    config = Config.fromfile(path)
    root = write_manifest(tmp_path, 'train')
    train, val, test = (list_patients(config, part, root) for part in PARTS)
    assert train
    assert test <= {f'patient{number}' for number in range(12, 16)}
    assert not train & (val | test)
    if config.default_hooks.checkpoint.save_best is not None:
        assert val
        assert not val & test


def test_folds_that_hold_reported_patients_are_refused(tmp_path):
    (path,) = (p for p in RECIPES if '-real-' in p.stem and 'abdomen3mm' in p.stem)
    config = Config.fromfile(path)
    root = write_manifest(tmp_path, 'all')
    for part in PARTS:
        with pytest.raises(ValueError, match='--folds-on train'):
            list_patients(config, part, root)
