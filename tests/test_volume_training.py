"""Real processes on tiny volumes: mim, resume, two processes against one, bf16."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmmed.checkpoint import load_checkpoint_safely
from mmmed.files import hash_file
from mmmed.io.chunked import write_chunked
from mmmed.structures.manifest import Manifest
from mmmed.structures.volume_case import VolumeCase

ROOT = Path(__file__).resolve().parents[1]
RECIPE = next((ROOT / 'configs/unet3d').glob('*_hippocampus-vol-*.py'))
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group('training')]


def run(*command, cwd):
    environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
    environment.pop('PYTHONPATH', None)
    binaries = str(Path(sys.executable).parent)
    environment['PATH'] = binaries + os.pathsep + environment['PATH']
    result = subprocess.run(
        [*map(str, command)], cwd=cwd, env=environment, capture_output=True,
        text=True, timeout=900, check=False,
    )  # fmt: skip
    assert result.returncode == 0, (result.stdout + result.stderr)[-3000:]


def read_losses(work_dir):
    losses = {}
    for path in sorted(Path(work_dir).glob('*/vis_data/scalars.json')):
        rows = map(json.loads, path.read_text().splitlines())
        losses.update({row['step']: row['loss'] for row in rows if 'loss' in row})
    return losses


def read_weights(work_dir):
    return load_checkpoint_safely(Path(work_dir) / 'iter_6.pth')['state_dict']


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Six noisy heads of two balls each, no two of one size."""
    root = tmp_path_factory.mktemp('balls')
    rng = np.random.default_rng(0)
    cases = []
    for number in range(6):
        shape = (14 + number, 20, 16 + 2 * (number % 3))
        axes = np.meshgrid(*(np.arange(n) for n in shape), indexing='ij')
        seg = np.zeros(shape, np.uint8)
        for label, place in ((1, (7, 6, 8)), (2, (7, 13, 8))):
            distance = sum((a - p) ** 2 for a, p in zip(axes, place, strict=True))
            seg[distance < 12] = label
        img = (rng.normal(100, 20, shape) + 60 * seg).astype(np.float32)
        folder = root / f'volumes/case_{number}'
        folder.mkdir(parents=True)
        write_chunked(img, folder / 'mri.b2nd')
        write_chunked(seg, folder / 'seg.b2nd')
        names = {n: f'volumes/case_{number}/{n}.b2nd' for n in ('mri', 'seg')}
        cases.append(
            VolumeCase(
                case_id=f'case_{number}',
                patient_id=f'case_{number}',
                split='val' if number > 3 else 'train',
                fold=number % 2,
                img_paths={'mri': names['mri']},
                seg_map_path=names['seg'],
                shape=shape,
                spacing=(1.0, 1.0, 1.0),
                affine=((0, 0, 1, 0), (0, 1, 0, 0), (1, 0, 0, 0), (0, 0, 0, 1)),
                foreground_voxels=int(np.count_nonzero(seg)),
                positive=True,
                sha256={n: hash_file(root / path) for n, path in names.items()},
            )
        )
    metainfo = {
        'schema_version': 1, 'dataset': 'hippocampus', 'task': 'segmentation',
        'unit': 'volume', 'classes': ['background', 'anterior', 'posterior'],
        'channels': 1, 'channel_names': ['mri'], 'num_folds': 2, 'orientation': 'SAR',
    }  # fmt: skip
    Manifest(metainfo, tuple(cases)).write(root / 'manifest.json')
    return root


@pytest.fixture(scope='module')
def recipe(data, tmp_path_factory):
    """The recipe of the hippocampus on the balls, tiny."""
    config = Config.fromfile(RECIPE)
    for name in ('train', 'val', 'test'):
        loader = config[f'{name}_dataloader']
        loader.dataset.data_root = str(data)
        loader.num_workers = 0
        loader.persistent_workers = False
    config.train_dataloader.dataset.pipeline[1].size = (12, 16, 12)
    config.model.network.channels = (4, 8)
    config.model.network.strides = (2,)
    config.model.test_cfg.update(crop_size=(16, 16, 16), stride=(8, 8, 8), flips=())
    config.train_cfg.update(max_iters=6, val_interval=6)
    config.default_hooks.checkpoint.update(interval=3, max_keep_ckpts=-1)
    config.default_hooks.logger.interval = 1
    path = tmp_path_factory.mktemp('recipe') / 'balls.py'
    config.dump(path)
    return path


@pytest.fixture(scope='module')
def train(run_host_tool):
    def train(recipe, folder, *options):
        extra = ('--cfg-options', *options) if options else ()
        arguments = (recipe, '--work-dir', folder, *extra)
        run_host_tool('train', *arguments, cwd=folder.parent)

    return train


@pytest.fixture(scope='module')
def straight(recipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp('volumes') / 'run'
    run('mim', 'train', 'mmseg', recipe, '--work-dir', folder, cwd=folder.parent)
    return folder


def test_a_resumed_run_ends_in_the_same_bits(straight, recipe, tmp_path, train):
    folder = tmp_path / 'run'
    train(recipe, folder, 'train_cfg.max_iters=3')
    # Data come from two workers here and from none in the uninterrupted run.
    train(recipe, folder, 'resume=True', 'train_dataloader.num_workers=2')
    one, other = (read_weights(path) for path in (straight, folder))
    assert sorted(one) == sorted(other)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert read_losses(folder) == read_losses(straight)


def test_two_processes_train_like_one_with_the_doubled_batch(recipe, tmp_path, train):
    curves = []
    for batch in (2, 1):
        folder = tmp_path / f'batch{batch}'
        config = Config.fromfile(recipe)
        # Adam divides tiny gradients by themselves, which blows rounding up.
        config.optim_wrapper.optimizer = {'type': 'SGD', 'lr': 0.01}
        config.train_dataloader.batch_size = batch
        path = tmp_path / f'batch{batch}.py'
        config.dump(path)
        if batch == 2:
            train(path, folder)
        else:
            launcher = ('--launcher', 'pytorch', '--gpus', '2')
            run('mim', 'train', 'mmseg', path, '--work-dir', folder, *launcher,
                cwd=tmp_path)  # fmt: skip
        curves.append(read_losses(folder))
    one, two = (np.array([curve[step] for step in range(1, 7)]) for curve in curves)
    assert abs(two / one - 1)[0] < 1e-5
    assert abs(two / one - 1).max() < 1e-3


def test_two_processes_test_like_one(straight, recipe, tmp_path, run_host_tool):
    checkpoint = straight / 'iter_6.pth'
    run_host_tool(
        'test', recipe, checkpoint, '--work-dir', tmp_path / 'one', cwd=tmp_path
    )
    run(
        'mim', 'test', 'mmseg', recipe, '--work-dir', tmp_path / 'two',
        '--checkpoint', checkpoint, '--launcher', 'pytorch', '-G', '2', cwd=tmp_path,
    )  # fmt: skip
    tables, masks = [], []
    for name in ('one', 'two'):
        folder = tmp_path / name / 'evaluation/val'
        tables.append((folder / 'cases.csv').read_text())
        masks.append({p.name: p.read_bytes() for p in (folder / 'pred').iterdir()})
    assert tables[0] == tables[1]
    assert masks[0] == masks[1]
    assert sorted(masks[0]) == ['case_4.nii.gz', 'case_5.nii.gz']
    assert 'surface_dice' in tables[0].splitlines()[0]


def test_the_device_augments_as_the_workers_do(straight, recipe, tmp_path, train):
    """Without WarpVolume in the pipeline the preprocessor does its work."""
    config = Config.fromfile(recipe)
    steps = config.train_dataloader.dataset.pipeline
    config.train_dataloader.dataset.pipeline = [
        step for step in steps if step.type != 'mmmed.WarpVolume'
    ]
    path = tmp_path / 'device.py'
    config.dump(path)
    train(path, tmp_path / 'run', 'train_cfg.max_iters=3')
    losses, expected = read_losses(tmp_path / 'run'), read_losses(straight)
    for step in range(1, 4):
        assert losses[step] == pytest.approx(expected[step], rel=1e-3)
