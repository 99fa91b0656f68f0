"""Checkpoints of a tiny segmentor and a tiny slice classifier say what they are."""

import json
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import ConcatDataset
from mmengine.runner import Runner
from mmengine.structures import PixelData
from torch.utils.data import Dataset

from mmmed.checkpoint import load_checkpoint_safely
from mmmed.engine.hooks import described_data
from mmmed.engine.hooks.segmentation_description_hook import describe_segmentor
from mmmed.engine.hooks.self_description_hook import describe_classifier
from mmmed.inference.cascade.segmentation_config import read_segmentation
from mmmed.registry import DATASETS

RULE = {'rule': 'percentile', 'low': 1.0, 'high': 99.0, 'nonzero': True, 'bits': 16}


@DATASETS.register_module(name='_DescribedSlices', force=True)
class _Slices(Dataset):
    """Four slices of one plane; the pipeline of the configuration is not run."""

    def __init__(self, plane='sagittal', fold=2, pipeline=(), data_root=''):
        self.plane, self.fold = plane, fold
        self.sequences = None
        self.metainfo = {
            'dataset': 'tiny', 'classes': ['background', 'lesion'], 'target': 'lesion',
            'intensity': RULE, 'num_folds': 5, 'split_hash': 'abc',
            'targets': {'cord': ['absent', 'present'], 'view': ['axial', 'sagittal']},
        }  # fmt: skip

    def full_init(self):
        pass

    def __len__(self):
        return 4

    def get_data_info(self, index):
        targets = {'cord': index % 2, 'view': -1}
        return {'targets': targets}

    def __getitem__(self, index):
        from mmseg.structures import SegDataSample

        seg = torch.zeros(1, 8, 12, dtype=torch.uint8)
        seg[:, :3] = index % 2
        sample = SegDataSample(gt_sem_seg=PixelData(data=seg))
        return {'inputs': seg * 200, 'data_samples': sample}


def make_runner(work_dir, **options):
    parts = [
        {'type': 'mmmed._DescribedSlices', 'plane': plane}
        for plane in ('axial', 'sagittal')
    ]
    parts[0]['pipeline'] = [
        {'type': 'mmmed.LoadVolumeSlice'},
        {'type': 'mmmed.FitSlice', 'size': (32, 32), 'pixel_mm': 0.5},
    ]
    loader = {
        'batch_size': 4,
        'num_workers': 0,
        'collate_fn': {'type': 'pseudo_collate'},
        'sampler': {'type': 'DefaultSampler', 'shuffle': False},
        'dataset': {'type': 'ConcatDataset', 'datasets': parts},
    }
    network = {'type': 'mmmed.SpinalUNet', 'depth': 1, 'features': 2}
    config = {
        'default_scope': 'mmseg',
        'custom_imports': {'imports': ['mmmed.compat'], 'allow_failed_imports': False},
        'model': {
            'type': 'mmmed.MedEncoderDecoder',
            'data_preprocessor': {
                'type': 'SegDataPreProcessor', 'mean': [0.0], 'std': [255.0],
                'size_divisor': 2,
            },
            'backbone': network,
            'decode_head': {
                'type': 'mmmed.MedLogitHead', 'num_classes': 2, 'out_channels': 1,
                'threshold': 0.5, 'loss_decode': {'type': 'mmmed.DiceCELoss'},
            },
            'train_cfg': {},
            'test_cfg': {'mode': 'whole'},
        },
        'work_dir': str(work_dir),
        'train_dataloader': loader,
        'test_dataloader': loader,
        'test_cfg': {},
        'test_evaluator': {'type': 'mmmed.CaseOverlapMetric'},
        'train_cfg': {'by_epoch': False, 'max_iters': 1},
        'optim_wrapper': {'optimizer': {'type': 'SGD', 'lr': 0.1}},
        'default_hooks': {'checkpoint': {'type': 'CheckpointHook', 'by_epoch': False}},
        'custom_hooks': [{'type': 'mmmed.SegmentationDescriptionHook'}],
        'log_level': 'ERROR',
        'experiment_name': f'segmentation_{work_dir.name}',
    }  # fmt: skip
    return Runner.from_cfg(Config(config | options))


def test_a_segmentor_describes_itself(tmp_path):
    runner = make_runner(tmp_path)
    runner.train()
    path = tmp_path / 'iter_1.pth'
    meta = load_checkpoint_safely(path)['meta']['segmentation']
    assert json.loads(json.dumps(meta)) == meta
    widths = runner.model.backbone.architecture
    expected = runner.cfg.model.to_dict()
    expected['backbone']['architecture'] = widths
    assert meta.pop('model') == expected
    assert meta == {
        'schema_version': 1,
        'task': 'lesion',
        'classes': ['background', 'lesion'],
        'planes': ['axial', 'sagittal'],
        'pixel_mm': 0.5,
        'size': None,
        'size_divisor': 16,
        'intensity': RULE,
        'dataset_name': 'tiny',
        'split': {
            'split_hash': 'abc', 'manifest': None, 'fold': 2, 'num_folds': 5
        },
    }  # fmt: skip
    described = read_segmentation(load_checkpoint_safely(path), path)
    assert described.planes == ('axial', 'sagittal')
    assert described.model['backbone']['architecture'] == widths

    # Letterboxed slices: the size is all that says how large their pixels were.
    del runner.cfg.test_dataloader.dataset.datasets[0].pipeline[1]['pixel_mm']
    meta = describe_segmentor(runner)
    assert (meta['pixel_mm'], meta['size']) == (None, [32, 32])

    runner.cfg.model.decode_head.num_classes = 3
    with pytest.raises(ValueError, match=r"3 classes, and the data \['background'"):
        runner.call_hook('before_train')


def test_a_slice_classifier_needs_no_sequences(tmp_path):
    parts = [_Slices(), _Slices('axial')]
    loader = SimpleNamespace(dataset=ConcatDataset.__new__(ConcatDataset))
    loader.dataset.datasets = parts
    loader.dataset.get_data_info = _Slices().get_data_info
    loader.dataset._fully_initialized = True
    loader.dataset.cumulative_sizes = [4, 8]
    head = SimpleNamespace(targets={'cord': 2})
    dataset = {'type': 'mmmed._DescribedSlices', 'fold': 2, 'plane': 'axial'}
    cfg = Config({'model': {'type': 'x'}, 'test_dataloader': {'dataset': dataset}})
    runner = SimpleNamespace(
        train_dataloader=loader, model=SimpleNamespace(head=head), cfg=cfg
    )
    found = describe_classifier(runner)
    assert found['targets'] == {'cord': ['absent', 'present']}
    assert found['sequences'] is None
    assert found['class_counts'] == {'cord': [4, 4]}
    assert found['dataset'] == {'type': 'mmmed._DescribedSlices', 'plane': 'axial'}
    assert found['split']['split_hash'] == 'abc'


def test_hashes_of_joined_data_have_to_agree():
    other = _Slices()
    other.metainfo = {**other.metainfo, 'split_hash': 'xyz'}
    joined = SimpleNamespace(datasets=[_Slices(), other])
    assert described_data.find_split_hash(joined) is None
    assert described_data.find_split_hash(SimpleNamespace(dataset=other)) == 'xyz'
