from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmmed.datasets import AtlasDataset
from mmmed.evaluation.metrics.case_overlap_metric import CaseOverlapMetric
from mmmed.functional.planes import PLANES, extract_slice

RECIPE = Path(__file__).resolve().parents[2] / 'configs/_base_/datasets/atlas_slices.py'


def test_metainfo_says_what_it_is(make_volumes):
    meta = AtlasDataset(str(make_volumes()), split='val').metainfo
    assert meta['dataset'] == 'atlas'
    assert meta['classes'] == ['background', 'lesion']
    assert meta['unit'] == 'volume'


@pytest.mark.parametrize(
    ('plane', 'shape', 'flips'),
    [
        ('axial', (11, 9), {None, 'horizontal'}),
        ('coronal', (6, 9), {None, 'horizontal'}),
        ('sagittal', (6, 11), {None}),
    ],
)
def test_the_recipe_loads_every_plane(make_volumes, plane, shape, flips):
    config = Config.fromfile(RECIPE)
    init_default_scope('mmseg')
    root = str(make_volumes())
    for name in ('train', 'val'):
        loader = config[f'{name}_dataloader']
        loader.update(batch_size=4, num_workers=0)
        loader.dataset.update(data_root=root, plane=plane, neighbors=(-2, -1, 0, 1))
    train = Runner.build_dataloader(config.train_dataloader, seed=3)
    found = set()
    for epoch in range(4):
        train.batch_sampler.sampler.set_epoch(epoch)
        # The recipe's batches go on for ever.
        for batch in islice(train, len(train)):
            assert [tuple(x.shape) for x in batch['inputs']] == [(4, *shape)] * 4
            samples = batch['data_samples']
            found |= {sample.flip_direction for sample in samples}
            assert all(s.gt_sem_seg.shape == shape for s in samples)
    assert found == flips
    val = Runner.build_dataloader(config.val_dataloader)
    cases = [s.case_id for batch in val for s in batch['data_samples']]
    assert len(cases) == len(set(cases)) == len(val.dataset)


def test_evaluated_slices_give_the_dice_of_the_volume(make_volumes):
    """18 of 36 lesion voxels predicted, in every plane: 2 * 18 / (18 + 36)."""
    root = make_volumes()
    init_default_scope('mmseg')
    half = np.zeros((6, 11, 9), np.uint8)
    half[:3, :3, :2] = 1
    for plane in PLANES:
        loader = Config.fromfile(RECIPE).val_dataloader
        loader.update(batch_size=3, num_workers=0)
        loader.dataset.update(data_root=str(root), plane=plane)
        val = Runner.build_dataloader(loader)
        metric = CaseOverlapMetric()
        metric.dataset_meta = val.dataset.metainfo
        for batch in val:
            samples = [sample.to_dict() for sample in batch['data_samples']]
            for sample in samples:
                pred = extract_slice(half, plane, sample['slice_index'])
                sample['pred_sem_seg'] = {'data': torch.from_numpy(pred.copy())[None]}
            metric.process(batch, samples)
        scores = metric.evaluate(len(val.dataset))
        assert scores['overlap/dice_patient_lesion'] == pytest.approx(2 / 3)
