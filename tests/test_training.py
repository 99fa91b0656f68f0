"""Real processes: mim, SIGKILL and resume, two processes against one."""

import importlib.util
import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from mmmed.checkpoint import load_checkpoint_safely
from mmmed.engine.cross_validation import Run

ROOT = Path(__file__).resolve().parents[1]
RECIPE = next((ROOT / 'configs/unet').glob('unet-s4-c16_*cranium-256x256.py'))
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group('training')]


def make_options(data, **changes):
    options = {
        **{f'{s}_dataloader.dataset.data_root': data for s in ('train', 'val', 'test')},
        'train_dataloader.num_workers': 0,
        'val_dataloader.num_workers': 0,
        'test_dataloader.num_workers': 0,
        'model.backbone.base_channels': 8,
        'model.decode_head.in_channels': 8,
        'model.decode_head.channels': 8,
        'train_cfg.max_iters': 8,
        'train_cfg.val_interval': 4,
        'default_hooks.checkpoint.interval': 2,
        'default_hooks.checkpoint.max_keep_ckpts': -1,
        'default_hooks.logger.interval': 1,
        'train_dataloader.batch_size': 2,
        # Dropout would show whether random numbers are restored.
        'model.decode_head.dropout_ratio': 0.3,
    }
    options.update({k.replace('__', '.'): v for k, v in changes.items()})
    return [f'{k}={v}' for k, v in options.items()]


def start(command, *arguments, cwd, **kwargs):
    environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
    environment.pop('PYTHONPATH', None)
    binaries = str(Path(sys.executable).parent)
    environment['PATH'] = binaries + os.pathsep + environment['PATH']
    return subprocess.Popen(
        [command, *map(str, arguments)],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        **kwargs,
    )


def run(command, *arguments, cwd):
    process = start(command, *arguments, cwd=cwd)
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 0, output[-3000:]
    return output


def read_losses(work_dir):
    losses = {}
    for path in sorted(Path(work_dir).glob('*/vis_data/scalars.json')):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            if 'loss' in row:
                losses[row['step']] = row['loss']
    return losses


def read_weights(work_dir, step=8):
    return load_checkpoint_safely(Path(work_dir) / f'iter_{step}.pth')['state_dict']


@pytest.fixture(scope='module')
def data(prepared_head_ct):
    return prepared_head_ct


@pytest.fixture(scope='module')
def straight(data, tmp_path_factory):
    """One uninterrupted run through mim, from another folder, by absolute path."""
    folder = tmp_path_factory.mktemp('straight')
    options = make_options(data)
    arguments = ('train', 'mmseg', RECIPE, '--work-dir', folder / 'run')
    run('mim', *arguments, '--cfg-options', *options, cwd=folder)
    return folder / 'run'


def test_mim_train_writes_what_a_run_needs(straight):
    assert sorted(p.name for p in straight.glob('iter_*.pth')) == [
        f'iter_{i}.pth' for i in (2, 4, 6, 8)
    ]
    assert len(list(straight.glob('best_overlap_dice_patient_hemorrhage_*.pth'))) == 1
    record = json.loads((straight / 'run.json').read_text())
    assert record['seed'] == 0
    assert record['seconds'] > 0
    assert len(record['config_sha256']) == len(record['manifest_sha256']) == 64
    assert sorted(read_losses(straight)) == list(range(1, 9))
    assert list(straight.glob('*/vis_data/events.out.tfevents.*'))


@pytest.fixture(scope='module')
def tested(straight, data, tmp_path_factory):
    """The evaluation folder that ``mim test`` writes into the folder of the run."""
    folder = tmp_path_factory.mktemp('tested') / 'run'
    shutil.copytree(straight, folder)
    run(
        'mim', 'test', 'mmseg', RECIPE, '--work-dir', folder,
        '--checkpoint', folder / 'iter_8.pth', '--cfg-options', *make_options(data),
        cwd=folder.parent,
    )  # fmt: skip
    return folder / 'evaluation/val'


def check_evaluation(folder):
    summary = json.loads((folder / 'summary.json').read_text())
    assert 0 <= summary['metrics']['overlap/dice_pooled_hemorrhage'] <= 1
    cases = (folder / 'cases.csv').read_text().splitlines()
    predictions = list((folder / 'pred').glob('*.png'))
    assert len(cases) - 1 == len(predictions) > 0
    assert (folder / 'run.json').is_file()


def test_mim_test_writes_the_evaluation_folder(tested):
    check_evaluation(tested)


def test_flipped_images_write_the_same_folder(straight, data, tmp_path, run_host_tool):
    shutil.copytree(straight, tmp_path / 'run')
    run_host_tool(
        'test', RECIPE, tmp_path / 'run/iter_8.pth', '--work-dir', tmp_path / 'run',
        '--tta', '--cfg-options', *make_options(data), cwd=tmp_path,
    )  # fmt: skip
    check_evaluation(tmp_path / 'run/evaluation/val')


@pytest.mark.parametrize('kill_after', [3, 5, 6])
def test_killed_run_resumes_to_the_same_bits(
    straight, data, tmp_path, kill_after, start_host_tool, run_host_tool
):
    # Data come from two workers here and from none in the uninterrupted run.
    options = make_options(data, train_dataloader__num_workers=2)
    arguments = (
        'train', RECIPE, '--work-dir', tmp_path / 'run', '--resume',
        '--cfg-options', *options,
    )  # fmt: skip
    process = start_host_tool(*arguments, cwd=tmp_path)
    deadline = time.monotonic() + 600
    while kill_after not in read_losses(tmp_path / 'run'):
        assert process.is_alive(), (tmp_path / 'train.log').read_text()[-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.join()
    assert not (tmp_path / 'run/iter_8.pth').exists()

    run_host_tool(*arguments, cwd=tmp_path)
    resumed, expected = read_weights(tmp_path / 'run'), read_weights(straight)
    assert sorted(resumed) == sorted(expected)
    assert all(torch.equal(resumed[k], expected[k]) for k in expected)
    assert read_losses(tmp_path / 'run') == read_losses(straight)


def test_two_processes_train_like_one_with_the_doubled_batch(
    data, tmp_path, run_host_tool
):
    curves = []
    for batch in (4, 2):
        folder = tmp_path / f'batch{batch}'
        options = make_options(
            data,
            train_dataloader__batch_size=batch,
            model__decode_head__dropout_ratio=0.0,
            # Adam divides tiny gradients by themselves, which blows rounding up.
            optim_wrapper__optimizer__type='SGD',
            optim_wrapper__optimizer__lr=0.01,
        )
        arguments = (RECIPE, '--work-dir', folder, '--cfg-options', *options)
        if batch == 4:
            run_host_tool('train', *arguments, cwd=tmp_path)
        else:
            launcher = ('--launcher', 'pytorch', '--gpus', '2')
            run('mim', 'train', 'mmseg', *launcher, *arguments, cwd=tmp_path)
        curves.append(read_losses(folder))
    assert sorted(curves[0]) == sorted(curves[1]) == list(range(1, 9))
    # Sums are rounded in another order, and training multiplies what that changes.
    one, two = (np.array([curve[step] for step in range(1, 9)]) for curve in curves)
    deviation = abs(two / one - 1)
    assert deviation[0] < 1e-6
    assert deviation.max() < 1e-3


def test_two_processes_test_like_one(tested, straight, data, tmp_path):
    run(
        'mim', 'test', 'mmseg', RECIPE, '--work-dir', tmp_path / 'two',
        '--checkpoint', straight / 'iter_8.pth', '--launcher', 'pytorch', '-G', '2',
        '--cfg-options', *make_options(data), cwd=tmp_path,
    )  # fmt: skip
    table = (tmp_path / 'two/evaluation/val/cases.csv').read_text()
    assert table == (tested / 'cases.csv').read_text()


def test_gridsearch_of_the_learning_rate(data, tmp_path):
    run(
        'mim', 'gridsearch', 'mmseg', RECIPE, '--work-dir', tmp_path / 'sweep',
        '--search-args', '--optim_wrapper.optimizer.lr 0.01 0.0001',
        '--cfg-options', *make_options(data, train_cfg__max_iters=1), cwd=tmp_path,
    )  # fmt: skip
    runs = sorted(p.name for p in tmp_path.glob('sweep_search_*'))
    assert runs == [f'sweep_search_optim_wrapper.optimizer.lr_{v}' for v in
                    ('0.0001', '0.01')]  # fmt: skip


def test_ema_can_be_switched_on(data, tmp_path, run_host_tool):
    options = make_options(
        data, train_cfg__max_iters=2, default_hooks__ema__type='EMAHook'
    )
    arguments = ('train', RECIPE, '--work-dir', tmp_path / 'run')
    run_host_tool(*arguments, '--cfg-options', *options, cwd=tmp_path)
    checkpoint = load_checkpoint_safely(tmp_path / 'run/iter_2.pth')
    assert any(k.startswith('module.') for k in checkpoint['ema_state_dict'])


@pytest.fixture
def without_mim(monkeypatch):
    """Runs of a grid start the host's tools; classifiers are trained through mim."""
    build = Run._build
    (host,) = importlib.util.find_spec('mmseg').submodule_search_locations

    def build_short(self, verb, *arguments):
        python, _, _, verb, _, config, *words = build(self, verb, *arguments)
        if verb == 'test':  # its checkpoint is no option
            place = words.index('--checkpoint')
            _, checkpoint = words[place : place + 2]
            words[:] = [checkpoint, *words[:place], *words[place + 2 :]]
        return [python, f'{host}/.mim/tools/{verb}.py', config, *words]

    monkeypatch.setattr(Run, '_build', build_short)
    monkeypatch.setenv('OMP_NUM_THREADS', '1')


@pytest.mark.usefixtures('without_mim')
def test_cross_validation_trains_and_tests_each_fold_once(data, tmp_path, capsys):
    main = runpy.run_path(str(ROOT / 'tools/cross_validate.py'))['main']
    options = make_options(data, train_cfg__max_iters=2)
    call = [
        str(RECIPE), '--folds', '2', '--work-dir', str(tmp_path / 'grid'),
        '--cfg-options', *options,
    ]  # fmt: skip
    code = main(call)
    output = capsys.readouterr().out
    assert code == 0, output[-3000:]
    assert 'over 2 folds' in output
    patients = []
    for fold in range(2):
        path = tmp_path / f'grid/fold{fold}/evaluation/val-fold{fold}/patients.csv'
        rows = path.read_text().splitlines()[1:]
        patients += [row.split(',')[0] for row in rows]
    # Every patient once, by the network that did not see him.
    assert len(patients) == len(set(patients)) == 5
    assert main(call) == 0
    again = capsys.readouterr().out
    assert 'train (output' not in again
    assert again.splitlines()[-1] == output.splitlines()[-1]
