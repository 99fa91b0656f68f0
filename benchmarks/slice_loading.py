"""Slice loading and augmentation: ours against the host's PNG pipeline, CPU time.

Both read the same 650 x 650 slices through their own dataset class and end with
packed 512 x 512 samples. One process, one thread, the variants interleaved round by
round, so that a busy machine slows all of them alike; what counts is the ratio.

    python benchmarks/slice_loading.py
    python benchmarks/slice_loading.py --data data/cranium --require 5
"""

import argparse
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage

import cv2
import numpy as np
import torch
from mmengine.dataset import default_collate, pseudo_collate
from mmengine.registry import DefaultScope
from torch.utils.data import DataLoader, Dataset

import mmmed.compat  # noqa: F401  (the host's datasets do not import without it)
from mmmed.datasets import Draw, MedSegDataset
from mmmed.files import hash_file
from mmmed.io.png import read_image, write_image, write_label
from mmmed.structures.manifest import Case, Manifest

SIDE = 650
SIZE = (512, 512)

HOST_LOAD = [
    {'type': 'LoadImageFromFile'},
    {'type': 'LoadAnnotations'},
    {'type': 'Resize', 'scale': SIZE, 'keep_ratio': False},
    {'type': 'RandomFlip', 'prob': 0.5},
]
# As the host's Cranium config has it.
HOST = [*HOST_LOAD, {'type': 'PhotoMetricDistortion'}, {'type': 'PackSegInputs'}]
# The nearest the host comes to our augmentation: it has no scaling or shift about
# the centre, and its noise and gamma come from its biomedical transforms;
# a hue_delta of 0 raises, so 1 stands for none.
HOST_LIKE_OURS = [
    *HOST_LOAD,
    {'type': 'RandomRotate', 'prob': 0.8, 'degree': 15.0},
    {'type': 'PhotoMetricDistortion', 'saturation_range': (1, 1), 'hue_delta': 1},
    {'type': 'BioMedicalRandomGamma', 'prob': 0.8, 'gamma_range': (0.8, 1.25)},
    {'type': 'BioMedicalGaussianNoise', 'prob': 0.8, 'std': 6.0},
    {'type': 'PackSegInputs'},
]
FLIP = {'type': 'mmmed.RandomFlipSlice', 'prob': 0.5}
AFFINE = {'type': 'mmmed.RandomAffineSlice', 'prob': 0.8}
INTENSITY = {'type': 'mmmed.RandomIntensity', 'prob': 0.8}
PACK = {'type': 'mmmed.PackMedInputs', 'label_dtype': 'uint8'}
PACK_INT64 = {'type': 'mmmed.PackMedInputs'}


def load_slice(cache_dir: str | None) -> dict:
    """Config of our first step."""
    return {'type': 'mmmed.LoadSlice', 'size': SIZE, 'cache_dir': cache_dir}


OURS = [load_slice('auto'), FLIP, AFFINE, INTENSITY, PACK]
OURS_INT64 = [*OURS[:-1], PACK_INT64]
OURS_ALWAYS = [
    load_slice('auto'),
    FLIP,
    {**AFFINE, 'prob': 1.0},
    {**INTENSITY, 'prob': 1.0},
    PACK,
]
OURS_UNCACHED = [load_slice(None), *OURS[1:]]
# What the host's config does: flip and grey values, no affine map.
OURS_LIKE_HOST = [load_slice('auto'), FLIP, {**INTENSITY, 'prob': 1.0}, PACK]


def main() -> int:
    """Measure, print the tables, and compare with ``--require``."""
    args = parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as scratch:
        if args.data is None:
            root = write_slices(Path(scratch) / 'made', args.cases)
        else:
            root = copy_slices(args.data, Path(scratch) / 'copied', args.cases)
        count = len(list((root / 'images' / 'train').iterdir()))
        print(f'{count} slices from {args.data or "a generated phantom"}')
        print(f'OpenCV {cv2.__version__}, NumPy {np.__version__}, one thread\n')
        ratio = compare_pipelines(root, count, args.rounds)
        compare_stages(root, count, args.rounds)
        compare_loaders(root)
    if args.require is not None and ratio < args.require:
        print(f'ratio {ratio:.1f} is below the required {args.require:g}')
        return 1
    return 0


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--data', type=Path, help='prepared folder with grey images')
    parser.add_argument('--cases', type=int, default=24, help='slices to read')
    parser.add_argument('--rounds', type=int, default=7, help='interleaved rounds')
    parser.add_argument('--require', type=float, help='fail below this ratio')
    return parser.parse_args()


def compare_pipelines(root: Path, count: int, rounds: int) -> float:
    """Print whole pipelines; return the ratio of host to ours, cache on."""
    variants = {
        'host, RGB files (as its script writes)': make_host(root, HOST, 'rgb'),
        'host, grey files': make_host(root, HOST, 'images'),
        'host, grey, augmented like ours': make_host(root, HOST_LIKE_OURS, 'images'),
        'ours, cache on': make_ours(root, OURS),
        'ours, cache on, all applied always': make_ours(root, OURS_ALWAYS),
        'ours, cache on, int64 labels': make_ours(root, OURS_INT64),
        'ours, cache on, augmented like host': make_ours(root, OURS_LIKE_HOST),
        'ours, cache on, no augmentation': make_ours(root, [OURS[0], PACK]),
        'ours, cache off': make_ours(root, OURS_UNCACHED),
    }
    start = time.process_time()
    for index in range(count):
        variants['ours, cache on'](index)
    first = 1e3 * (time.process_time() - start) / count
    times = measure(variants, count, rounds)
    base = times['host, grey files']
    print(f'{"whole pipeline":40}{"ms/slice":>10}{"host grey / it":>16}{"range":>14}')
    for name, values in times.items():
        ratios = [b / v for b, v in zip(base, values, strict=True)]
        spread = f'{min(ratios):.1f}-{max(ratios):.1f}'
        middle = statistics.median(ratios)
        print(f'{name:40}{statistics.median(values):10.2f}{middle:16.1f}{spread:>14}')
    print(f'{"ours, first pass (fills the cache)":40}{first:10.2f}\n')
    ours = times['ours, cache on']
    return statistics.median(b / v for b, v in zip(base, ours, strict=True))


def compare_stages(root: Path, count: int, rounds: int) -> None:
    """Print what each step adds to the steps before it, always applied."""
    for title, steps, make in (
        ('host, grey files', HOST, lambda p: make_host(root, p, 'images')),
        ('ours, cache on, all applied', OURS_ALWAYS, lambda p: make_ours(root, p)),
    ):
        growing = {'dataset': make([])}
        for end, step in enumerate(steps, start=1):
            growing[step['type']] = make(steps[:end])
        times = measure(growing, count, rounds)
        print(f'{title:40}{"ms/slice":>10}')
        before = 0.0
        for name, values in times.items():
            total = min(values)
            print(f'  {name:38}{total - before:10.3f}')
            before = total
        print(f'  {"sum":38}{before:10.3f}\n')


def compare_loaders(root: Path) -> None:
    """Print what a slice costs through one worker process, both processes' CPU.

    Here the transfer counts: a sample travels through shared memory, and int64 label
    maps are most of it.
    """
    variants: dict[str, tuple] = {
        'host, grey files': (build_host(root, HOST, 'images'), pseudo_collate),
        'ours, cache on': (build_ours(root, OURS), pseudo_collate),
        'ours, int64 labels': (build_ours(root, OURS_INT64), pseudo_collate),
        'ours, default_collate': (build_ours(root, OURS), default_collate),
    }
    spent: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(3):
        for name, (dataset, collate) in variants.items():
            start = read_cpu_seconds()
            loader = DataLoader(
                dataset,
                batch_size=16,
                num_workers=1,
                sampler=[k % len(dataset) for k in range(320)],
                collate_fn=collate,
            )
            for _batch in loader:
                pass
            del loader
            spent[name].append(1e3 * (read_cpu_seconds() - start) / 320)
    base = min(spent['host, grey files'])
    print(f'{"one worker, batches of 16":40}{"ms/slice":>10}{"host / it":>16}')
    for name, values in spent.items():
        print(f'{name:40}{min(values):10.2f}{base / min(values):16.1f}')


def read_cpu_seconds() -> float:
    """CPU time of this process and of its ended children."""
    usages = [getrusage(w) for w in (RUSAGE_SELF, RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def measure(
    variants: dict[str, Callable[[int], object]], count: int, rounds: int
) -> dict[str, list[float]]:
    """CPU milliseconds per slice of every variant in every round."""
    times: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(rounds + 1):
        for name, load in variants.items():
            start = time.process_time()
            for index in range(count):
                load(index + turn * count)
            if turn:  # the first round warms up
                spent = time.process_time() - start
                times[name].append(1e3 * spent / count)
    return times


def make_ours(root: Path, pipeline: list) -> Callable[[int], object]:
    """Reader of the n-th draw through our dataset."""
    dataset = build_ours(root, pipeline)
    return lambda draw: dataset[Draw(draw % len(dataset), draw=draw)]


def make_host(root: Path, pipeline: list, images: str) -> Callable[[int], object]:
    """Reader of the n-th draw through the host's dataset."""
    dataset = build_host(root, pipeline, images)
    return lambda draw: dataset[draw % len(dataset)]


def build_ours(root: Path, pipeline: list) -> MedSegDataset:
    """Our dataset."""
    return MedSegDataset(str(root), split='train', pipeline=pipeline)


def build_host(root: Path, pipeline: list, images: str) -> Dataset:
    """The host's dataset."""
    # Only importable once mmmed.compat has mended mmcv.
    from mmseg.datasets import BaseSegDataset

    with DefaultScope.overwrite_default_scope('mmseg'):
        return BaseSegDataset(
            data_root=str(root),
            data_prefix={'img_path': f'{images}/train', 'seg_map_path': 'masks/train'},
            img_suffix='.png',
            seg_map_suffix='.png',
            metainfo={'classes': ('background', 'hemorrhage')},
            pipeline=pipeline,
        )


def write_slices(root: Path, count: int) -> Path:
    """Prepared folder of head-like noise slices; half of them with a lesion."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE]
    slices = []
    for k in range(count):
        grown = rng.uniform(0.75, 1)
        radius = np.hypot((y - 325) / (270 * grown), (x - 325) / (220 * grown))
        coarse = cv2.GaussianBlur(rng.standard_normal((SIDE, SIDE)), (0, 0), 6)
        # A quarter of the release is exactly black; the rest of the air is not.
        img = np.abs(rng.normal(0, 1.5, (SIDE, SIDE)))
        tissue = 90 + 250 * coarse + rng.normal(0, 6, (SIDE, SIDE))
        img = np.where(radius < 1, 255.0, img)
        img = np.where(radius < 0.92, tissue, img)
        seg = np.hypot(y - 300 - 2 * k, x - 250) < (20 if k % 2 else 0)
        img = np.where(seg, img + 60, img)
        img = np.clip(np.rint(img), 0, 255).astype(np.uint8)
        slices.append((img, seg.astype(np.uint8)))
    return write_prepared(root, slices)


def copy_slices(data: Path, root: Path, count: int) -> Path:
    """The first slices of a prepared folder, positives and negatives in turn."""
    dataset = MedSegDataset(str(data))
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    positive = [info for info in infos if info['positive']]
    negative = [info for info in infos if not info['positive']]
    chosen = [i for pair in zip(positive, negative, strict=False) for i in pair]
    return write_prepared(
        root,
        [
            (read_image(i['img_path']), read_image(i['seg_map_path']))
            for i in chosen[:count]
        ],
    )


def write_prepared(root: Path, slices: list[tuple[np.ndarray, np.ndarray]]) -> Path:
    """Images, RGB copies for the host, masks and manifest."""
    cases = []
    for k, (img, seg) in enumerate(slices):
        paths = f'images/train/{k:03}.png', f'masks/train/{k:03}.png'
        write_image(root / paths[0], img)
        write_image(root / f'rgb/train/{k:03}.png', np.repeat(img[..., None], 3, 2))
        write_label(root / paths[1], seg)
        img_hash, seg_hash = (hash_file(root / path) for path in paths)
        cases.append(
            Case(
                case_id=f'{k:03}',
                patient_id=f'{k:03}',
                slice_index=0,
                img_path=paths[0],
                seg_map_path=paths[1],
                split='train',
                fold=k % 2,
                height=img.shape[0],
                width=img.shape[1],
                spacing=None,
                foreground_pixels=int(seg.sum()),
                positive=bool(seg.any()),
                sha256={'img': img_hash, 'seg': seg_hash},
            )
        )
    metainfo = {
        'schema_version': 1,
        'dataset': 'cranium',
        'task': 'segmentation',
        'classes': ['background', 'hemorrhage'],
        'channels': 1,
        'num_folds': 2,
    }
    Manifest(metainfo, tuple(cases)).write(root / 'manifest.json')
    return root


if __name__ == '__main__':
    sys.exit(main())
