"""Real processes: a cross-validation of classifiers is killed and called again."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from mmmed.checkpoint import load_checkpoint_safely

ROOT = Path(__file__).resolve().parents[1]
RECIPE = next((ROOT / 'configs/crn').glob('crn-w03_slices_*lesion6mm*.py'))
TEXT = f"""
_base_ = {str(RECIPE)!r}
sequences = ['t2', 'lap', 'adc']
model = dict(
    network=dict(
        sequences=sequences,
        routing=dict(_delete_=True, t2=['t2'], ap=['lap'], type=sequences),
        variant='0.1',
    ),
    head=dict(targets=dict(_delete_=True, t2=3, ap=4, type=6)),
)
train_dataloader = dict(batch_size=2, dataset=dict(sequences=sequences))
val_dataloader = dict(dataset=dict(sequences=sequences))
test_dataloader = dict(dataset=dict(sequences=sequences))
train_cfg = dict(max_epochs=4, val_interval=1)
default_hooks = dict(checkpoint=dict(interval=1))
"""
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group('training')]


def start(data, work_dir, *extra):
    """The tool on folds 0 and 1."""
    recipe = work_dir.parent / 'recipe.py'
    recipe.write_text(TEXT)
    options = [
        *(f'{part}_dataloader.dataset.data_root={data}'
          for part in ('train', 'val', 'test')),
        *(f'{part}_dataloader.dataset.targets=[t2,ap,type]'
          for part in ('train', 'val', 'test')),
    ]  # fmt: skip
    binaries = str(Path(sys.executable).parent)
    path = binaries + os.pathsep + os.environ['PATH']
    return subprocess.Popen(
        [sys.executable, str(ROOT / 'tools/cross_validate.py'), str(recipe),
         '--folds', '2', '--checkpoint', 'best', '--work-dir', str(work_dir), *extra,
         '--cfg-options', *options],
        cwd=work_dir.parent,
        env={**os.environ, 'OMP_NUM_THREADS': '1', 'PATH': path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )  # fmt: skip


def finish(process):
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 0, output[-3000:]
    return output


def read(fold):
    weights = load_checkpoint_safely(fold / 'epoch_4.pth')['state_dict']
    rows = json.loads((fold / 'records/epochs.json').read_text())['rows']
    scores = (fold / 'evaluation' / f'test-{fold.name}' / 'cases.csv').read_bytes()
    best = sorted(path.name for path in fold.glob('best_*.pth'))
    return weights, rows, scores, best


def test_killed_in_the_second_fold_it_loses_nothing(prepared_lesions, tmp_path):
    whole, broken = tmp_path / 'whole/runs', tmp_path / 'broken/runs'
    for folder in (whole, broken):
        folder.parent.mkdir()
    finish(start(prepared_lesions, whole, '--task', '1'))

    process = start(prepared_lesions, broken)
    deadline = time.monotonic() + 900
    while not list((broken / 'fold1').glob('epoch_2.pth')):
        assert process.poll() is None, process.communicate()[0][-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (broken / 'fold1/epoch_4.pth').exists()
    first = (broken / 'fold0/evaluation/test-fold0/summary.json').stat().st_mtime_ns

    output = finish(start(prepared_lesions, broken))
    assert 'fold 0: train' not in output
    after = (broken / 'fold0/evaluation/test-fold0/summary.json').stat().st_mtime_ns
    assert after == first
    resumed, expected = read(broken / 'fold1'), read(whole / 'fold1')
    assert resumed[1:] == expected[1:]
    assert all(torch.equal(resumed[0][k], v) for k, v in expected[0].items())
