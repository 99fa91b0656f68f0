"""Real and synthetic cases at a ratio, for any number of workers."""

import shutil
from collections import Counter
from dataclasses import replace

import pytest
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from mmmed.datasets import ForegroundSampler, MixedDataset
from mmmed.structures.manifest import Manifest

PIPELINE = [
    {'type': 'mmmed.LoadVolumePatch', 'size': (4, 6, 4)},
    {'type': 'mmmed.RandomFlipVolume'},
    {'type': 'mmmed.PackMedVolumes', 'meta_keys': ('case_id', 'img_path', 'applied')},
]


@pytest.fixture
def roots(make_volumes, tmp_path):
    real = make_volumes()
    synthetic = tmp_path / 'synthetic'
    shutil.copytree(real, synthetic)
    return str(real), str(synthetic)


def build(roots):
    parts = [
        {
            'type': 'mmmed.VolumeDataset',
            'data_root': root,
            'split': 'train',
            'pipeline': PIPELINE,
        }
        for root in roots
    ]
    return MixedDataset(*parts)


@pytest.mark.parametrize(('share', 'real'), [(0.1, 4), (0.5, 20), (0.75, 30)])
def test_the_share_of_real_cases_is_exact(roots, share, real):
    dataset = build(roots)
    assert len(dataset) == 4
    assert [dataset.is_positive(k) for k in range(4)] == [True, True, False, False]
    sampler = ForegroundSampler(dataset, positive_share=share, epoch_length=40, seed=3)
    draws = list(sampler)
    assert sum(dataset.get_data_info(d)['positive'] for d in draws) == real
    folders = Counter(dataset.get_data_info(d)['data_root'] for d in draws)
    assert folders == {roots[0]: real, roots[1]: 40 - real}


def test_the_stream_is_the_same_for_any_number_of_workers(roots):
    def list_samples(workers):
        dataset = build(roots)
        sampler = ForegroundSampler(
            dataset, positive_share=0.25, epoch_length=12, seed=1
        )
        loader = DataLoader(
            dataset, 2, sampler=sampler, num_workers=workers,
            collate_fn=pseudo_collate,
        )  # fmt: skip
        return [
            (sample.img_path, sample.applied, inputs.double().sum().item())
            for batch in loader
            for sample, inputs in zip(
                batch['data_samples'], batch['inputs'], strict=True
            )
        ]

    alone = list_samples(0)
    assert len(alone) == 12
    assert list_samples(2) == alone


def test_other_classes_are_refused(roots):
    path = f'{roots[1]}/manifest.json'
    manifest = Manifest.read(path)
    classes = ['background', 'tumor', 'liver']
    replace(manifest, metainfo={**manifest.metainfo, 'classes': classes}).write(path)
    with pytest.raises(ValueError, match=r'classes are .* in the real'):
        build(roots)
