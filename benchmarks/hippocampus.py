"""Hippocampus, fold by fold: our recipe against MONAI's own training of its network.

Each fold is trained and tested twice: by ``mim`` with the recipe, as
``tools/cross_validate.py`` does it, and by ``hippocampus_monai.py``. Both write NIfTI
files, which are scored like any folder of masks. What counts are Dice of the cases left
out and CPU time, start-up and test included, of all processes of a run.

    python benchmarks/hippocampus.py RAW
    python benchmarks/hippocampus.py RAW --folds 0 --require 0.875

RAW holds imagesTr and labelsTr (or images and labels) of MSD Task04; the recipe's data
is prepared from it. Finished runs are left alone: the same command goes on.
"""

import argparse
import csv
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
from functools import partial
from pathlib import Path

from mmmed.engine.cross_validation import Grid, execute_run
from mmmed.evaluation.folder_evaluation import FolderOptions, evaluate_folders
from mmmed.evaluation.score_options import ScoreOptions

ROOT = Path(__file__).resolve().parents[1]
LABELS = {'anterior': (1,), 'posterior': (2,)}
SIDES = ('ours', 'monai')


def measure(job, note: Path) -> None:
    """Do a job and note the CPU seconds of the processes that it started."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    job()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    note.write_text(json.dumps({'cpu_s': round(seconds, 1)}), encoding='utf-8')


def run_ours(fold: int, grid: Grid) -> None:
    """Recipe of one fold, trained and tested, unless it is done."""
    run = grid.runs[fold]
    if (run.folder / 'cpu.json').is_file():
        return
    run.folder.mkdir(parents=True, exist_ok=True)
    say = partial(print, flush=True)
    measure(lambda: execute_run(run, say=say), run.folder / 'cpu.json')


def run_monai(fold: int, args: argparse.Namespace) -> None:
    """MONAI's training of one fold, and its predictions, unless it is done."""
    folder = args.work_dir / f'monai/fold{fold}'
    if (folder / 'cpu.json').is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    print(f'fold {fold}: MONAI', flush=True)
    call = [
        *(sys.executable, str(ROOT / 'benchmarks/hippocampus_monai.py')),
        *(str(args.raw), str(args.config), '--fold', str(fold)),
        *('--out', str(folder / 'pred')),
    ]
    measure(lambda: subprocess.run(call, check=True), folder / 'cpu.json')


def score(args: argparse.Namespace, folds: list[int]) -> list[dict[str, str]]:
    """Scores of every case left out: rows of both sides, by the house's evaluator."""
    scores = args.work_dir / 'scores'
    shutil.rmtree(scores, ignore_errors=True)
    rows = []
    labels = next(
        args.raw / n for n in ('labelsTr', 'labels') if (args.raw / n).is_dir()
    )
    for fold in folds:
        reference = scores / f'fold{fold}/reference'
        reference.mkdir(parents=True)
        for side in SIDES:
            pred = next((args.work_dir / side / f'fold{fold}').rglob('pred'))
            for path in pred.iterdir():
                shutil.copy(labels / path.name, reference)
            out = scores / f'fold{fold}/{side}'
            options = FolderOptions(quiet=True, workers=1)
            evaluate_folders(pred, reference, out, ScoreOptions(LABELS), options)
            with (out / 'cases.csv').open(newline='', encoding='utf-8') as stream:
                for row in csv.DictReader(stream):
                    rows.append({'side': side, 'fold': str(fold), **row})
    return rows


def print_table(rows: list[dict[str, str]], work_dir: Path, folds: list[int]) -> dict:
    """Dice by fold and label, and CPU minutes; returns the mean Dice of each side."""
    means = {}
    for side in SIDES:
        own = [row for row in rows if row['side'] == side]
        minutes = []
        for fold in folds:
            note = work_dir / side / f'fold{fold}/cpu.json'
            minutes.append(json.loads(note.read_text(encoding='utf-8'))['cpu_s'] / 60)
            text = format_dice([row for row in own if row['fold'] == str(fold)])
            print(f'{side:5} fold {fold}: {text}, {minutes[-1]:.1f} CPU-min')
        cost = statistics.mean(minutes)
        print(f'{side:5} all   : {format_dice(own)}, {cost:.1f} CPU-min a fold')
        means[side] = statistics.mean(float(row['dice']) for row in own)
    return means


def format_dice(rows: list[dict[str, str]]) -> str:
    """Mean and SD over cases of each label, and the mean over labels."""
    texts = []
    for name in LABELS:
        dice = [float(row['dice']) for row in rows if row['label'] == name]
        texts.append(
            f'{name} {statistics.mean(dice):.4f} ± {statistics.stdev(dice):.4f}'
        )
    # Every case has every label, so that the mean over all is that over labels.
    mean = statistics.mean(float(row['dice']) for row in rows)
    return f'{", ".join(texts)}, mean {mean:.4f}'


def main() -> int:
    """Print a table; exit 1 where ours is worse than MONAI or than required."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    recipe = next((ROOT / 'configs/unet3d').glob('*_hippocampus-vol-*.py'))
    parser.add_argument('raw', type=Path, help='imagesTr and labelsTr of MSD Task04')
    parser.add_argument('--config', type=Path, default=recipe, help='recipe')
    parser.add_argument('--folds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/hippocampus'))
    parser.add_argument('--require', type=float, help='least mean Dice')
    args = parser.parse_args()
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    grid = Grid(args.config, args.work_dir / 'ours', 3)
    for fold in args.folds:
        run_ours(fold, grid)
    for fold in args.folds:
        run_monai(fold, args)
    means = print_table(score(args, args.folds), args.work_dir, args.folds)
    return int(means['ours'] < max(means['monai'], args.require or 0))


if __name__ == '__main__':
    sys.exit(main())
