"""Loading slices: memory-mapped volumes against 2-D NIfTI files, CPU time.

The peer is how slices are commonly stored for 2-D networks, and how the published
code of RAX-Net does it: one file for the image and one for the mask of every slice,
compressed, intensities as float32, read by nibabel. Ours are ``LoadVolumeSlice`` and
the data set that tells it which slice; both end with image and mask in memory. Random
slices of random subjects, one process, one thread, all files in the page cache, the
variants interleaved round by round, so that a busy machine slows all of them alike;
what counts is the ratio.

    python benchmarks/slice_cache.py
    python benchmarks/slice_cache.py --data data/atlas --require 20
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import torch

import mmmed.compat  # noqa: F401  (the host's datasets do not import without it)
from mmmed.datasets import AtlasDataset, LoadVolumeSlice
from mmmed.files import hash_file
from mmmed.functional.packed_bits import pack_mask
from mmmed.functional.planes import PLANES
from mmmed.structures.manifest import Manifest
from mmmed.structures.volume_case import VolumeCase

SHAPE = (189, 233, 197)
AFFINE = ((0, 0, 1.0, -98), (0, 1.0, 0, -134), (1.0, 0, 0, -72), (0, 0, 0, 1))


def main() -> int:
    """Measure, print the table, and compare with ``--require``."""
    args = parse_args()
    torch.set_num_threads(1)
    print(f'NumPy {np.__version__}, nibabel {nib.__version__}, one thread\n')
    print(
        f'{"plane":10}{"variant":34}{"us/slice":>10}{".nii.gz / it":>14}'
        f'{"range":>16}{".nii / it":>11}'
    )
    ratios = []
    with tempfile.TemporaryDirectory() as scratch:
        root = args.data or write_volumes(Path(scratch) / 'made', args.subjects)
        for plane in PLANES:
            files = Path(scratch) / plane
            ratios.append(compare(root, files, plane, args.slices, args.rounds))
    least = min(ratios)
    print(f'\nleast ratio of .nii.gz to ours: {least:.1f}')
    if args.require is not None and least < args.require:
        print(f'below the required {args.require:g}')
        return 1
    return 0


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--data', type=Path, help='prepared folder of volumes')
    parser.add_argument('--subjects', type=int, default=24, help='subjects to make')
    parser.add_argument('--slices', type=int, default=200, help='slices a plane')
    parser.add_argument('--rounds', type=int, default=7, help='interleaved rounds')
    parser.add_argument('--require', type=float, help='fail below this ratio')
    return parser.parse_args()


def compare(root: Path, files: Path, plane: str, count: int, rounds: int) -> float:
    """Print one plane; return the ratio of .nii.gz to ours."""
    dataset = AtlasDataset(str(root), plane=plane)
    rng = np.random.default_rng(0)
    rows = rng.choice(len(dataset), min(count, len(dataset)), replace=False).tolist()
    lesion = np.flatnonzero(dataset.get_column('foreground_pixels') > 0)
    lesion_rows = rng.choice(lesion, min(count, len(lesion)), replace=False).tolist()
    everything = sorted({*rows, *lesion_rows})
    write_slices(dataset, files, everything)
    # Copies of all subjects are made here; a training does it in its first epoch.
    ours, plain = LoadVolumeSlice(cache_dir='auto'), LoadVolumeSlice()
    if plane == 'sagittal':
        first = np.unique(dataset._table.volume, return_index=True)[1].tolist()
        start = time.process_time()
        for row in first:
            ours(dataset.get_data_info(row))
        spent = 1e3 * (time.process_time() - start) / len(first)
        print(f'{plane:10}{"(copy of a subject, once)":34}{1e3 * spent:10.0f}')
    load: dict[str, tuple[Callable[[int], object], list[int]]] = {
        'nibabel, .nii.gz': (lambda row: read_pair(files, row, '.nii.gz'), rows),
        'nibabel, .nii': (lambda row: read_pair(files, row, '.nii'), rows),
        'ours': (lambda row: ours(dataset.get_data_info(row)), rows),
        'ours, only slices with a lesion': (
            lambda row: ours(dataset.get_data_info(row)),
            lesion_rows,
        ),
    }
    if plane == 'sagittal':
        load['ours, cache_dir=None'] = (
            lambda row: plain(dataset.get_data_info(row)),
            rows,
        )
    check(dataset, ours, files, everything)
    times = measure(load, rounds, rng)
    packed, raw = times['nibabel, .nii.gz'], times['nibabel, .nii']
    for name, values in times.items():
        ratios = [p / v for p, v in zip(packed, values, strict=True)]
        spread = f'{min(ratios):.1f}-{max(ratios):.1f}'
        other = statistics.median(r / v for r, v in zip(raw, values, strict=True))
        print(
            f'{plane:10}{name:34}{statistics.median(values):10.1f}'
            f'{statistics.median(ratios):14.1f}{spread:>16}{other:11.1f}'
        )
    return statistics.median(p / v for p, v in zip(packed, times['ours'], strict=True))


def measure(
    load: dict[str, tuple[Callable[[int], object], list[int]]],
    rounds: int,
    rng: np.random.Generator,
) -> dict[str, list[float]]:
    """CPU microseconds a slice of every variant in every round, in random order."""
    times: dict[str, list[float]] = {name: [] for name in load}
    for turn in range(rounds + 1):
        for name, (read, rows) in load.items():
            order = rng.permutation(rows).tolist()
            start = time.process_time()
            for row in order:
                read(row)
            if turn:  # the first round warms up
                spent = time.process_time() - start
                times[name].append(1e6 * spent / len(order))
    return times


def read_pair(folder: Path, row: int, suffix: str) -> tuple[np.ndarray, np.ndarray]:
    """Image and mask of a slice as nibabel reads them fastest: stored types."""
    img = nib.load(f'{folder}/{row}_T1{suffix}')
    mask = nib.load(f'{folder}/{row}_mask{suffix}')
    return np.asanyarray(img.dataobj), np.asanyarray(mask.dataobj)


def write_slices(dataset: AtlasDataset, folder: Path, rows: list[int]) -> None:
    """2-D NIfTI files of slices: float32 image, uint8 mask, no affine."""
    folder.mkdir(parents=True)
    load = LoadVolumeSlice()
    rng = np.random.default_rng(1)
    for row in rows:
        out = load(dataset.get_data_info(row))
        # Intensities of a scanner are no whole numbers; air is exactly 0.
        img = out['img'][..., 0].astype(np.float32)
        img += np.where(img > 0, 0.9 * rng.random(img.shape, np.float32), 0)
        mask = out.get('gt_seg_map', np.zeros(img.shape, np.uint8))
        for suffix in ('.nii.gz', '.nii'):
            nib.save(nib.Nifti1Image(img, None), f'{folder}/{row}_T1{suffix}')
            nib.save(nib.Nifti1Image(mask, None), f'{folder}/{row}_mask{suffix}')


def check(
    dataset: AtlasDataset, ours: LoadVolumeSlice, folder: Path, rows: list[int]
) -> None:
    """Both readers give the same slices."""
    for row in rows:
        img, mask = read_pair(folder, row, '.nii.gz')
        out = ours(dataset.get_data_info(row))
        if not (
            np.array_equal(np.floor(img), out['img'][..., 0])
            and np.array_equal(mask, out.get('gt_seg_map', mask))
        ):
            raise AssertionError(f'slice {row} differs between the readers')


def write_volumes(root: Path, subjects: int) -> Path:
    """Prepared folder: heads of noisy tissue, each with a lesion of its own size."""
    rng = np.random.default_rng(0)
    z, y, x = (np.linspace(-1, 1, n, dtype=np.float32) for n in SHAPE)
    radius = np.sqrt(
        (z[:, None, None] / 0.95) ** 2
        + (y[None, :, None] / 0.85) ** 2
        + (x[None, None] / 0.75) ** 2
    )
    tissue = 120 + 60 * np.cos(9 * radius)
    cases = []
    for number in range(subjects):
        name = f'sub-r001s{number:03d}'
        folder = root / 'volumes' / name
        folder.mkdir(parents=True)
        noise = rng.normal(0, 5, SHAPE).astype(np.float32)
        volume = np.clip(np.where(radius < 1, tissue + noise, 0), 0, 255)
        np.save(folder / 't1w.npy', volume.astype(np.uint8))
        mask = make_lesion(rng)
        np.save(folder / 'seg.npy', pack_mask(mask))
        lesion_pixels = {
            plane: mask.sum(axis=axes).tolist()
            for plane, axes in zip(PLANES, ((1, 2), (0, 2), (0, 1)), strict=True)
        }
        cases.append(
            VolumeCase(
                case_id=name,
                patient_id=name,
                split='train',
                fold=number % 2,
                img_paths={'t1w': f'volumes/{name}/t1w.npy'},
                seg_map_path=f'volumes/{name}/seg.npy',
                shape=SHAPE,
                spacing=(1.0, 1.0, 1.0),
                affine=AFFINE,
                foreground_voxels=int(mask.sum()),
                positive=bool(mask.any()),
                sha256={n: hash_file(folder / f'{n}.npy') for n in ('t1w', 'seg')},
                extra={'lesion_pixels': lesion_pixels},
            )
        )
    metainfo = {
        'schema_version': 1,
        'dataset': 'atlas',
        'task': 'segmentation',
        'unit': 'volume',
        'classes': ['background', 'lesion'],
        'channels': 1,
        'channel_names': ['t1w'],
        'num_folds': 2,
    }
    Manifest(metainfo, tuple(cases)).write(root / 'manifest.json')
    return root


def make_lesion(rng: np.random.Generator) -> np.ndarray:
    """A ball of 5 to 40 mm radius inside the head."""
    center = [n * rng.uniform(0.35, 0.65) for n in SHAPE]
    z, y, x = (np.arange(n) - c for n, c in zip(SHAPE, center, strict=True))
    square = z[:, None, None] ** 2 + y[None, :, None] ** 2 + x[None, None] ** 2
    return square < rng.uniform(5, 40) ** 2


if __name__ == '__main__':
    sys.exit(main())
