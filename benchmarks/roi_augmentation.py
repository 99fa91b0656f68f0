"""Joint 3-D augmentation of one lesion in ten sequences: ours against MONAI, CPU time.

Both rotate, scale and mirror all sequences alike, then change contrast, gamma and
noise of each by itself; from arrays in memory, ``always``: every change in every
sample; ``default``: each with the probability of the recipes. MONAI runs its dictionary
transforms: ``keys`` with a key for each sequence, as its users have them; ``stacked``
with the sequences as channels of one key for geometry, the fastest way there is. One
process, one thread, interleaved round by round; what counts is the ratio of CPU times.

    python benchmarks/roi_augmentation.py
    python benchmarks/roi_augmentation.py --rounds 50 --require 0.5
    python benchmarks/roi_augmentation.py --memory 5000
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

import mmmed.compat  # noqa: F401
from mmmed.datasets import EachSequence, JointSequences

SHAPES = {'16x40x40': (16, 40, 40), '16x80x80': (16, 80, 80)}
NAMES = tuple(f's{i}' for i in range(10))
PROBS = {
    'default': {'warp': 0.5, 'gain': 0.15, 'gamma': 0.3, 'noise': 0.1},
    'always': dict.fromkeys(('warp', 'gain', 'gamma', 'noise'), 1.0),
}


def make_ours(kind: str):
    """Our wrappers around the transforms of volumes."""
    probs = PROBS[kind]
    affine = {
        'type': 'mmmed.RandomAffineVolume',
        'angle_deg': [30.0] * 3,
        'rotate_prob': 1.0,
        'scale_prob': 1.0,
        'prob': probs['warp'],
    }
    intensity = {
        'type': 'mmmed.RandomIntensityVolume',
        'blur_prob': 0.0,
        'zoom_prob': 0.0,
        **{f'{n}_prob': p for n, p in probs.items() if n != 'warp'},
    }
    joint = JointSequences([affine, {'type': 'mmmed.RandomFlipVolume'}])
    each = EachSequence([intensity])

    def run(img: np.ndarray, seed: int) -> dict:
        sample = {
            'img': img,
            'available': np.ones(len(img), bool),
            'sequences': NAMES,
            'img_spacing': (1.0, 1.0, 1.0),
            'rng': np.random.default_rng(seed),
        }
        return each(joint(sample))

    return run


def make_monai(kind: str, *, is_stacked: bool):
    """MONAI's dictionary transforms."""
    from monai import transforms as mt
    from monai.utils import set_determinism

    set_determinism(0)
    probs = PROBS[kind]
    keys = ['img'] if is_stacked else list(NAMES)
    geometry = mt.Compose(
        [
            mt.RandAffined(
                keys, prob=probs['warp'], rotate_range=[np.pi / 6] * 3,
                scale_range=[0.3] * 3, mode='bilinear', padding_mode='zeros',
            ),
            *[mt.RandFlipd(keys, prob=0.5, spatial_axis=axis) for axis in range(3)],
        ]
    )  # fmt: skip
    # Of its own draw for each sequence, so one chain a key.
    chains = {
        name: mt.Compose(
            [
                mt.RandScaleIntensityd([name], factors=0.25, prob=probs['gain']),
                mt.RandAdjustContrastd([name], prob=probs['gamma'], gamma=(0.7, 1.5)),
                mt.RandGaussianNoised([name], prob=probs['noise'], std=0.1),
            ]
        )
        for name in NAMES
    }

    def run(img: np.ndarray, seed: int) -> dict:
        tensor = torch.from_numpy(img)
        if is_stacked:
            moved = geometry({'img': tensor[:, 0]})['img']
            parts = {name: moved[i : i + 1] for i, name in enumerate(NAMES)}
        else:
            parts = geometry({name: tensor[i] for i, name in enumerate(NAMES)})
        return {n: chain({n: parts[n]})[n] for n, chain in chains.items()}

    return run


def measure(kind: str, shape: tuple[int, ...], rounds: int) -> dict[str, list[float]]:
    """CPU milliseconds of each sample, by maker."""
    img = np.random.default_rng(0).random((len(NAMES), 1, *shape), dtype=np.float32)
    makers = {
        'ours': make_ours(kind),
        'keys': make_monai(kind, is_stacked=False),
        'stacked': make_monai(kind, is_stacked=True),
    }
    times: dict[str, list[float]] = {name: [] for name in makers}
    for seed in range(rounds + 1):
        for name, run in makers.items():
            start = time.process_time()
            run(img, seed)
            if seed:  # the first warms up
                times[name].append(1000 * (time.process_time() - start))
    return times


def measure_memory(cases: int) -> None:
    """Proportional memory of loaders with several workers on many lesions."""
    from torch.utils.data import DataLoader

    from mmmed.datasets import MultiSequenceROIDataset
    from mmmed.functional.geometry import make_affine
    from mmmed.structures import Manifest, ROICase, ROIGrid

    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        array = np.zeros((9, 32, 32), np.int16)
        affine = tuple(tuple(row) for row in make_affine((3, 1, 1)).tolist())
        grid = ROIGrid(array.shape, (3.0, 1.0, 1.0), affine)
        facts = {'mean': 0.0, 'std': 1.0, 'percentiles': [0.0] * 13}
        rows = []
        np.save(root / 'one.npy', array)
        for case in range(cases):
            folder = root / 'rois' / str(case)
            folder.mkdir(parents=True)
            for sequence in NAMES:  # names of one file: what counts is the list
                os.link(root / 'one.npy', folder / f'{sequence}.npy')
            rows.append(
                ROICase(
                    f'c{case}', f'p{case}', 'train', case % 2,
                    {s: f'rois/{case}/{s}.npy' for s in NAMES},
                    dict.fromkeys(NAMES, grid), 12.0, {'type': case % 3},
                    dict.fromkeys(NAMES, 'a' * 64),
                    extra={'intensity': dict.fromkeys(NAMES, facts)},
                )
            )  # fmt: skip
        meta = {
            'schema_version': 1, 'dataset': 'bench', 'task': 'classification',
            'unit': 'roi', 'sequences': list(NAMES), 'channels': 10, 'num_folds': 2,
            'targets': {'type': ['a', 'b', 'c']}, 'normalisation': {},
        }  # fmt: skip
        Manifest(meta, tuple(rows)).write(root / 'manifest.json')
        del rows
        steps = [{'type': 'mmmed.LoadROISequences'}, {'type': 'mmmed.PackROISequences'}]
        dataset = MultiSequenceROIDataset(str(root), pipeline=steps)
        for workers in (1, 2, 4):
            loader = DataLoader(
                dataset, 16, num_workers=workers, collate_fn=len, shuffle=True
            )
            stream = iter(loader)
            for _ in stream:
                pass
            stream = iter(loader)
            next(stream)
            found = [
                read_proportional(w.pid)
                for w in stream._workers  # type: ignore[attr-defined]
            ]
            total = read_proportional(os.getpid()) + sum(found)
            print(f'{workers} workers: {total:.0f} MiB in all (proportional)')
            del stream


def read_proportional(pid: int) -> float:
    """Memory of a process in MiB; pages that several share count in part."""
    for line in Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines():
        if line.startswith('Pss:'):
            return int(line.split()[1]) / 1024
    return float('nan')


def main() -> int:
    """Print a table; exit 1 where ours is slower than required."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=30)
    parser.add_argument('--require', type=float, help='largest ratio, keys')
    parser.add_argument('--memory', type=int, metavar='CASES', help='measure this')
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.memory:
        measure_memory(args.memory)
        return 0
    worst = 0.0
    for name, shape in SHAPES.items():
        for kind in PROBS:
            times = measure(kind, shape, args.rounds)
            ours, keys, stacked = (statistics.mean(times[maker]) for maker in times)
            worst = max(worst, ours / keys)
            print(
                f'10 x {name} {kind:8} mean CPU ms: ours {ours:6.1f}  MONAI keys '
                f'{keys:6.1f} ({keys / ours:.1f}x)  stacked {stacked:6.1f} '
                f'({stacked / ours:.1f}x)'
            )
    return int(args.require is not None and worst > args.require)


if __name__ == '__main__':
    sys.exit(main())
