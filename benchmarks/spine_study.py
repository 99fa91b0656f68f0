"""Spinal cord cascade on real images that its networks have not seen.

Gates: the images are divided by person into four parts; gates trained on three of them
are asked about the fourth, through the cascade, and so are cords. The only abdomen and
the lumbar image cannot be held out and learned from: the abdomen is held out whole, of
the lumbar image the right half. Cord: each image with a mask is held out in turn. The
recipes are those of ``make demo-spine``, and generated spines are always learned from.

    python projects/spinal_cord_lesion/gather.py RAW --sample SAMPLE
    python benchmarks/spine_study.py RAW --cord CORD.pth --lesion LESION.pth \
        --out work_dirs/spine_study

Finished trainings are left alone: the same command goes on.
"""

import argparse
import csv
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mmengine.config import Config

import mmmed.compat  # noqa: F401
from mmmed import inference
from mmmed.files import write_csv_atomic
from mmmed.functional.overlap import compute_dice
from mmmed.inference.cascade import Cascade, CascadeSettings, ProcessingSettings
from mmmed.io import read_volume

ROOT = Path(__file__).resolve().parents[1]
PARTS = (
    ('sct_t1', 'sub-9418', 'head_ct_077', 'mni', 'hippocampus_001'),
    ('sct_t2', 'test', 'head_ct_078', 'head_ct_079', 'colin27', 'hippocampus_003'),
    ('sct_t2s', 'lumbar_right', 'head_ct_081', 'abdomen_ct', 'hippocampus_004'),
    ('sct_mt', 'sub-9604', 'head_ct_130', 'brain_ms', 'hippocampus_006'),
)
GATES = {
    stage: f'resnet10t_{name}_spinedemo-112x112.py'
    for stage, name in (
        ('anatomy', 'anatomy_1xb32-adamw-12e'),
        ('spine_location_view', 'locview_1xb32-adamw-6e'),
        ('spine_sequence', 'sequence_1xb32-adamw-6e'),
    )
}
CORD = 'spinalunet-c8_cord_1xb16-adam-14e_spinedemo-96x96.py'


def call(*words: object, log: Path | None = None, codes: Sequence[int] = (0,)) -> None:
    """Run a command from the project's folder; its output goes to a file."""
    text = [str(word) for word in words]
    done = subprocess.run(text, cwd=ROOT, capture_output=True, text=True, check=False)
    if log is not None:
        log.write_text(done.stdout + done.stderr, encoding='utf-8')
    if done.returncode not in codes:
        raise RuntimeError(f'{" ".join(text)}: exit code {done.returncode}; see {log}')


def write_table(raw: Path, path: Path) -> list[dict]:
    """Lines of targets.csv, the two halves of the lumbar image as two persons."""
    with (raw / 'targets.csv').open(encoding='utf-8', newline='') as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        if row['patient'] == 'lumbar':
            row['patient'] = Path(row['path']).parts[0]
    write_csv_atomic(path, rows)
    return rows


def prepare(args: argparse.Namespace, table: Path, held_out: Sequence[str]) -> Path:
    """Prepared folder whose validation part are the given persons."""
    out = args.out / 'data' / '+'.join(held_out)
    if not (out / 'manifest.json').is_file():
        out.parent.mkdir(parents=True, exist_ok=True)
        call(
            sys.executable, 'tools/prepare_dataset.py', 'spine', args.raw / 'images',
            '--targets', table, '--out', out, '--val-patients', *held_out,
            log=args.out / 'prepare.log', codes=(0, 3),
        )  # fmt: skip
    return out


def train(recipe: str, data: Path, folder: Path) -> Path:
    """Last checkpoint of a training, which is done once."""
    config = next((ROOT / 'configs').glob(f'*/{recipe}'))
    epochs = Config.fromfile(config).train_cfg.max_epochs
    path = folder / f'epoch_{epochs}.pth'
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        call(
            'mim', 'train', 'mmseg', config, '--work-dir', folder, '--resume',
            '--cfg-options', f'train_dataloader.dataset.data_root={data}',
            f'test_dataloader.dataset.data_root={data}',
            log=folder / 'train.log',
        )  # fmt: skip
        print(f'trained {folder}', flush=True)
    return path


def load(weights: dict[str, Path], folder: Path) -> Cascade:
    """A cascade of the given checkpoints; gates that are not given are left out."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for stage, path in weights.items():
        shutil.copyfile(path, folder / f'{stage}.pth')
    processing = ProcessingSettings(on_reject='continue', allow_missing_gates=True)
    settings = replace(CascadeSettings(), processing=processing)
    return Cascade.load(folder, settings)


def score_cord(cascade: Cascade, image: Path) -> dict:
    """Dice of the cord on the image's own grid."""
    volume = read_volume(image)
    mask = next(
        path
        for path in sorted(image.parent.glob('*_seg*.nii.gz'))
        + sorted(image.parent.glob('*_sc_seg.nii.gz'))
        if 'lesion_seg' not in path.name
    )
    result = cascade.analyze(volume)
    if result.cord_mask is None:
        return {'dice': 0.0, 'plane': result.plane}
    target = read_volume(mask).array > 0
    dice = compute_dice(result.cord_mask > 0, target)
    return {'dice': round(float(dice), 4), 'plane': result.plane}


def study_cord(args: argparse.Namespace, table: Path, rows: Sequence[dict]) -> None:
    """Each image with a mask held out in turn."""
    runs = {}
    for row in rows:
        image = args.raw / 'images' / row['path']
        if list(image.parent.glob('*_seg*')):
            data = prepare(args, table, [row['patient']])
            runs[image] = train(CORD, data, args.out / 'cord' / row['patient'])
    scores = []
    for image, path in runs.items():
        weights = {'cord_segmentation': path, 'lesion_segmentation': args.lesion}
        found = score_cord(
            load(weights, args.out / f'weights_{args.only or "all"}'), image
        )
        scores.append({'image': image.parent.name, **found})
        print(scores[-1], flush=True)
    write_csv_atomic(args.out / 'cord.csv', scores)


def study_gates(args: argparse.Namespace, table: Path, rows: Sequence[dict]) -> None:
    """Persons of one part, by gates that were trained on the others."""
    answers = []
    for number, held_out in enumerate(PARTS):
        data = prepare(args, table, held_out)
        weights = {
            stage: train(recipe, data, args.out / f'{stage}{number}')
            for stage, recipe in GATES.items()
        }
        weights['cord_segmentation'] = args.cord
        weights['lesion_segmentation'] = args.lesion
        cascade = load(weights, args.out / f'weights_{args.only or "all"}')
        for row in rows:
            if row['patient'] in held_out:
                answers += judge(cascade, args.raw / 'images' / row['path'], row)
    write_csv_atomic(args.out / 'gates.csv', answers)


def judge(cascade: Cascade, image: Path, row: dict) -> list[dict]:
    """Decisions of the gates about one image."""
    result = cascade.analyze(read_volume(image))
    truth = {
        'anatomy': row['anatomy'],
        'spine_location_view': f'{row["location"]}_{result.plane}',
        'spine_sequence': row['sequence'],
    }
    found = [
        {
            'image': image.parent.name,
            'stage': record.name,
            'truth': truth[record.name],
            'label': record.label,
            'probability': round(record.probs.get(record.label or '', 0.0), 3),
            'accepted': int(record.accepted),
            'reason': record.reason,
        }
        for record in result.stages
        if record.name in GATES
    ]
    for line in found:
        print(line, flush=True)
    return found


def main() -> int:
    """Run the study and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add('raw', type=Path, help='folder that gather.py wrote')
    add('--only', choices=('cord', 'gates'), help='one half of the study')
    text = 'weights of the stages that are not asked about'
    add('--cord', type=Path, required=True, help=text)
    add('--lesion', type=Path, required=True, help='likewise')
    add('--out', type=Path, required=True, metavar='DIR')
    args = parser.parse_args()
    args.raw, args.out = args.raw.resolve(), args.out.resolve()
    args.cord, args.lesion = args.cord.resolve(), args.lesion.resolve()
    inference.hush_host()
    args.out.mkdir(parents=True, exist_ok=True)
    table = args.out / 'targets.csv'
    rows = write_table(args.raw, table)
    if args.only != 'gates':
        study_cord(args, table, rows)
    if args.only != 'cord':
        study_gates(args, table, rows)
    return 0


if __name__ == '__main__':
    sys.exit(main())
