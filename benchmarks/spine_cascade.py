"""The spinal cord cascade on a CPU: all stages, and the crop against whole slices.

A generated sagittal series of 60 slices of 320 x 320 pixels, EfficientViT-M5 as gates
(untrained: what they say is ignored) and a U-Net of 16 features, fitted to the cord for
a minute first, so that masks mean something; it stands for the network of lesions too,
which no minute would teach small lesions. Crop and whole slices in turns in one
process; what counts is the ratio of CPU times, with the masks they agree on.

    python benchmarks/spine_cascade.py
    python benchmarks/spine_cascade.py --require 4 --require-seconds 15
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault('OMP_NUM_THREADS', '2')
# Waiting threads must not be counted as work.
os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')

import numpy as np
import torch

import mmmed.compat  # noqa: F401
from mmmed.functional.overlap import compute_dice
from mmmed.inference.cascade import (
    Cascade,
    CascadeResult,
    CascadeSettings,
    CordSegmentationSettings,
    ModelSettings,
    ProcessingSettings,
)
from mmmed.inference.cascade.grey import GreyStack
from mmmed.inference.cascade.stack import SliceStack
from mmmed.inference.loading import build_model, hush_host
from mmmed.phantoms.spine_raw import make_spine_cohort
from mmmed.structures import Volume
from mmmed.structures.spine_classes import SPINE_TARGETS

SPACING = (0.8, 0.8, 1.0)
GATES = {
    'anatomy': 'anatomy',
    'spine_location_view': 'location_view',
    'spine_sequence': 'sequence',
    'spinal_cord': 'cord',
}
RULE = {'rule': 'percentile', 'low': 1, 'high': 99, 'nonzero': True, 'bits': 16}
SEGMENTATIONS = ('cord_segmentation', 'lesion_segmentation')


def main() -> int:
    """Measure, print the tables, and compare with what is required."""
    args = parse_args()
    hush_host()
    torch.set_num_threads(args.threads)
    volume, masks = make_series(args.size, args.slices)
    with tempfile.TemporaryDirectory() as folder:
        save_weights(Path(folder), volume, masks, args.iterations)
        ways = {
            name: Cascade.load(Path(folder), make_settings(use_crop=use_crop))
            for name, use_crop in (('whole slices', False), ('crop', True))
        }
    results, seconds = measure(ways, volume, args.rounds)
    return report(args, masks, results, seconds)


def measure(
    ways: dict[str, Cascade], volume: Volume, rounds: int
) -> tuple[dict[str, CascadeResult], dict[str, dict[str, float]]]:
    """Results, and least CPU and wall seconds of each way, taken in turns."""
    results = {}
    names = ('CPU', 'wall', 'CPU of both segmentations')
    seconds = {way: dict.fromkeys(names, float('inf')) for way in ways}
    for _ in range(rounds):
        for way, cascade in ways.items():
            clock = SegmentationClock(cascade)
            began = time.process_time(), time.perf_counter()
            results[way] = cascade.analyze(volume)
            spent = (
                time.process_time() - began[0],
                time.perf_counter() - began[1],
                clock.stop(),
            )
            for name, value in zip(names, spent, strict=True):
                seconds[way][name] = min(seconds[way][name], value)
    return results, seconds


class SegmentationClock:
    """CPU time of the networks of cord and lesions of a cascade.

    Args:
        cascade: Its networks are wrapped until :meth:`stop`.
    """

    def __init__(self, cascade: Cascade) -> None:
        self.cascade = cascade
        self.networks: dict[str, Any] = dict(cascade.networks)
        self.seconds = 0.0
        for stage, network in self.networks.items():
            cascade.networks[stage] = self.wrap(network)  # type: ignore[assignment]

    def wrap(self, network: Any) -> Any:
        """The network, timed."""

        def predict(img: np.ndarray) -> np.ndarray:
            began = time.process_time()
            prob: np.ndarray = network(img)
            self.seconds += time.process_time() - began
            return prob

        return predict

    def stop(self) -> float:
        """Seconds."""
        self.cascade.networks.update(self.networks)
        return self.seconds


def make_settings(*, use_crop: bool) -> CascadeSettings:
    """Settings under which nothing that untrained gates say ends the analysis."""
    return CascadeSettings(
        ProcessingSettings(on_reject='continue'),
        ModelSettings(cord_segmentation=CordSegmentationSettings(use_crop=use_crop)),
    )


def make_series(size: int, slices: int) -> tuple[Volume, dict[str, np.ndarray]]:
    """A generated cervical spine, and its masks."""
    cohort = make_spine_cohort(
        1,
        regions=('cervical',),
        sequences=('T2w',),
        shape=(size, size, slices),
        spacing=SPACING,
        lesions=8,
        seed=3,
    )
    patient = next(iter(cohort))
    shown = patient.images['T2w']
    return Volume(shown.image, patient.spacings['T2w']), dict(shown.masks)


def save_weights(
    folder: Path, volume: Volume, masks: dict[str, np.ndarray], iterations: int
) -> None:
    """Checkpoints of all six stages."""
    torch.manual_seed(0)
    for stage, target in GATES.items():
        classes = {target: list(SPINE_TARGETS[target])}
        save_gate(folder / f'{stage}.pth', classes)
    stack = SliceStack.from_volume(volume, plane='sagittal')
    img = GreyStack(stack).take(range(len(stack.img)))
    save_segmenters(folder, img, np.moveaxis(masks['cord'], 2, 0), iterations)


def save_gate(path: Path, classes: dict[str, list[str]]) -> None:
    """An untrained classifier."""
    config = {
        'type': 'mmmed.VolumeClassifier',
        'network': {
            'type': 'mmmed.EarlyFusionEncoder',
            'backbone': {
                'type': 'mmmed.TimmSliceEncoder',
                'model': 'efficientvit_m5',
                'pool': 'mean',
            },
            'sequences': 1,
            'append_available': False,
        },
        'head': {
            'type': 'mmmed.MultiTargetHead',
            'targets': {name: len(labels) for name, labels in classes.items()},
            'batch_norm': True,
        },
    }
    description = {
        'schema_version': 1,
        'targets': classes,
        'sequences': ['mr'],
        'model': config,
        'dataset': {'type': 'mmmed.SpineDataset'},
        'pipeline': [
            {'type': 'mmmed.LoadVolumeSlice'},
            {'type': 'mmmed.FitSlice', 'size': [224, 224]},
            {'type': 'mmmed.WindowSlice'},
            {'type': 'mmmed.PackSliceTargets'},
        ],
    }
    model = build_model({'default_scope': 'mmseg', 'model': config})
    meta = {'classification': description}
    torch.save({'state_dict': model.state_dict(), 'meta': meta}, path)


def save_segmenters(
    folder: Path, img: np.ndarray, target: np.ndarray, iterations: int
) -> None:
    """A U-Net that was fitted to the series for a moment, for both tasks."""
    config = {
        'type': 'mmmed.MedEncoderDecoder',
        'data_preprocessor': {
            'type': 'SegDataPreProcessor',
            'mean': [0.0],
            'std': [255.0],
            'bgr_to_rgb': False,
        },
        'backbone': {'type': 'mmmed.SpinalUNet', 'features': 16},
        'decode_head': {
            'type': 'mmmed.MedLogitHead',
            'num_classes': 2,
            'out_channels': 1,
            'loss_decode': {'type': 'mmmed.SoftDiceLoss'},
        },
    }
    description = {
        'schema_version': 1,
        'model': config,
        'planes': ['sagittal'],
        'pixel_mm': SPACING[0],
        'size_divisor': 16,
        'intensity': RULE,
    }
    model = build_model({'default_scope': 'mmseg', 'model': config})
    fit(model.backbone, img / np.float32(255), target, iterations)
    for task in ('cord', 'lesion'):
        entry = {**description, 'task': task, 'classes': ['background', task]}
        meta = {'segmentation': entry}
        path = folder / f'{task}_segmentation.pth'
        torch.save({'state_dict': model.state_dict(), 'meta': meta}, path)


def fit(network: Any, img: np.ndarray, target: np.ndarray, iterations: int) -> None:
    """Fit a network to patches, most of them around the target, at two pixel sizes."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    decay = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, iterations)
    rng = np.random.default_rng(0)
    for _ in range(iterations):
        images, labels = draw_batch(img, target, rng)
        logits = network(images)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)
        prob = logits.sigmoid()
        overlap = 2 * (prob * labels).sum() / (prob.sum() + labels.sum() + 1)
        optimizer.zero_grad()
        (loss + 1 - overlap).backward()
        optimizer.step()
        decay.step()


def draw_batch(
    img: np.ndarray, target: np.ndarray, rng: np.random.Generator, side: int = 80
) -> tuple[torch.Tensor, torch.Tensor]:
    """Four patches, (4, 1, side, side), one of them with pixels twice as large."""
    images, labels = [], []
    shown = np.argwhere(target)
    for number in range(4):
        step = 2 if number == 0 else 1
        middle = shown[rng.integers(len(shown))]
        if number == 1:
            middle = rng.integers(0, img.shape)
        room = [n - side * step for n in img.shape[1:]]
        rows, columns = (
            int(np.clip(place - rng.integers(0, side * step), 0, most))
            for place, most in zip(middle[1:], room, strict=True)
        )
        part = np.s_[
            rows : rows + side * step : step, columns : columns + side * step : step
        ]
        images.append(img[middle[0]][part])
        labels.append(target[middle[0]][part])
    stacked = [np.stack(one)[:, None].astype(np.float32) for one in (images, labels)]
    return torch.from_numpy(stacked[0]), torch.from_numpy(stacked[1])


def report(
    args: argparse.Namespace,
    masks: dict[str, np.ndarray],
    results: dict[str, CascadeResult],
    seconds: dict[str, dict[str, float]],
) -> int:
    """Print the tables; 1 if something required is missed."""
    crop, whole = results['crop'], results['whole slices']
    print(f'torch {torch.__version__}, {args.threads} threads, best of {args.rounds}\n')
    print('| stage of the crop | slices | wall s |\n|---|---|---|')
    for stage in crop.stages:
        print(f'| {stage.name} | {stage.n_slices} | {stage.seconds:.2f} |')
    print('\n| way | CPU s | wall s | CPU s of cord and lesion networks |')
    print('|---|---|---|---|')
    for way, spent in seconds.items():
        values = ' | '.join(f'{value:.2f}' for value in spent.values())
        print(f'| {way} | {values} |')
    name = 'CPU of both segmentations'
    ratio = seconds['whole slices'][name] / seconds['crop'][name]
    print(f'\nwhole slices / crop, CPU of cord and lesion networks: {ratio:.1f}')
    for task, one, other in (
        ('cord', crop.cord_mask, whole.cord_mask),
        ('lesion', crop.lesion_mask, whole.lesion_mask),
    ):
        assert one is not None
        assert other is not None
        agreement = compute_dice(one, other)
        print(f'{task} network: Dice of crop and whole slices {agreement:.5f}')
        if not agreement > 0.999:
            print(f'{task} network: the masks differ', file=sys.stderr)
            return 1
    assert crop.cord_mask is not None
    truth = compute_dice(crop.cord_mask, masks['cord'])
    print(f'cord: Dice with the truth {truth:.3f}')
    spent = seconds['crop']['wall']
    failed = (args.require and ratio < args.require) or (
        args.require_seconds and spent > args.require_seconds
    )
    return int(bool(failed))


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--size', type=int, default=320)
    parser.add_argument('--slices', type=int, default=60)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--rounds', type=int, default=2)
    parser.add_argument('--iterations', type=int, default=100, help='of fitting')
    parser.add_argument('--require', type=float, help='least ratio')
    parser.add_argument('--require-seconds', type=float, help='most wall seconds')
    return parser.parse_args()


if __name__ == '__main__':
    raise SystemExit(main())
