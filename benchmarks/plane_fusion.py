"""Fusion of three planes: ours against one eager call a slice, CPU time.

One subject of 197 x 233 x 189 voxels (the MNI brain with a made lesion), three
RAX-Nets. The reference calls the network for each of the 619 slices alone, padded as
published, and averages. Ours is what ``tools/fuse.py`` runs. One process, one thread,
plane by plane in turns, so that a busy machine slows all alike; what counts is the
ratio. The weights are fitted first, minutes, so that masks have sharp sides.

    python benchmarks/plane_fusion.py
    python benchmarks/plane_fusion.py --require 1.6 --require-bf16 3
    python benchmarks/plane_fusion.py --head  (no blank slices but those outside it)
"""

import argparse
import os
import sys
import time
from collections.abc import Callable

os.environ.setdefault('OMP_NUM_THREADS', '1')
# Waiting threads must not be counted as work.
os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')

import numpy as np
import torch
from torch import Tensor

import mmmed.compat  # noqa: F401
from mmmed.functional.overlap import compute_dice
from mmmed.functional.planes import PLANES, split_slices
from mmmed.inference.faster_network import has_bf16
from mmmed.inference.fusion_spec import FusionRule
from mmmed.inference.loading import LoadedNetworks
from mmmed.inference.networks import TorchNetwork
from mmmed.inference.plane_fusion import PlaneFusion
from mmmed.inference.recipe import VOLUME_PLANES, ScanRecipe
from mmmed.inference.registration import find_template
from mmmed.inference.training_grid import MNI_2009A
from mmmed.io import read_volume
from mmmed.models.networks import RAXNet
from mmmed.structures import Volume

SCALE = 255.0
TOLERANCE = 1e-4
WAYS = ('reference', 'ours', 'ours, bf16')


def main() -> int:
    """Measure, print the table, and compare with what is required."""
    args = parse_args()
    torch.set_num_threads(1)
    scan, target = make_scan(whole_head=args.head)
    model = fit_model(scan.array, target, args.iterations)
    planes = args.planes or list(PLANES)
    fusions = {'ours': make_fusion(model, planes)}
    if has_bf16(torch.device('cpu')):
        fusions['ours, bf16'] = make_fusion(model, planes, use_bf16=True)
    seconds, probs = measure(model, scan, fusions, planes)
    masks = {way: FusionRule().apply(probs[way], scan.spacing) for way in probs}
    return report(args, scan, seconds, probs, masks)


def measure(
    model: RAXNet, scan: Volume, fusions: dict[str, PlaneFusion], planes: list[str]
) -> tuple[dict[str, float], dict[str, dict[str, np.ndarray]]]:
    """CPU seconds of each way, and its probabilities by plane."""
    ways: dict[str, Callable[[str], np.ndarray]] = {
        'reference': lambda plane: predict_singly(model, scan.array, plane)
    }
    for way, fusion in fusions.items():
        ways[way] = lambda plane, fusion=fusion: fusion.predict_plane(plane, scan)[0]
    seconds = dict.fromkeys(ways, 0.0)
    probs: dict[str, dict[str, np.ndarray]] = {way: {} for way in ways}
    for plane in planes:
        for way, predict in ways.items():
            started = time.process_time()
            probs[way][plane] = predict(plane)
            seconds[way] += time.process_time() - started
    return seconds, probs


@torch.inference_mode()
def predict_singly(model: RAXNet, array: np.ndarray, plane: str) -> np.ndarray:
    """The reference's way: every slice alone, eager, NCHW."""
    prob = np.empty(array.shape, np.float32)
    targets = split_slices(prob, plane)
    for index, image in enumerate(split_slices(array, plane)):
        inputs = torch.from_numpy(np.ascontiguousarray(image)).float()[None, None]
        targets[index] = model(inputs / SCALE).sigmoid()[0, 0].numpy()
    return prob


def make_fusion(
    model: RAXNet, planes: list[str], *, use_bf16: bool = False
) -> PlaneFusion:
    """The network for every plane, as a checkpoint of it would be loaded."""
    loaded = {
        plane: LoadedNetworks(
            (TorchNetwork(model),),
            ScanRecipe(
                ('background', 'lesion'),
                orientation=VOLUME_PLANES[plane],
                std=(SCALE,),
            ),
            (('made', ''),),
        )
        for plane in planes
    }
    return PlaneFusion(loaded, FusionRule(), MNI_2009A, use_bf16=use_bf16)


def make_scan(*, whole_head: bool) -> tuple[Volume, np.ndarray]:
    """The template brain with a dark ellipsoid, and where that is."""
    template = read_volume(find_template())
    array = template.array.astype(np.uint8)
    z, y, x = np.ogrid[tuple(slice(0, n) for n in array.shape)]
    lesion = ((z - 100) / 16) ** 2 + ((y - 120) / 22) ** 2 + ((x - 140) / 12) ** 2 < 1
    lesion &= array > 0
    array[lesion] //= 4
    if whole_head:
        # Skin and skull around it: noise wherever the head would be.
        rng = np.random.default_rng(0)
        head = ((z - 85) / 104) ** 2 + ((y - 120) / 112) ** 2 + ((x - 98) / 92) ** 2
        shell = (head < 1) & (array == 0)
        array[shell] = rng.integers(20, 200, int(shell.sum()))
    return template.replace_array(array), lesion


def fit_model(array: np.ndarray, target: np.ndarray, iterations: int) -> RAXNet:
    """A RAX-Net that knows dark tissue from other tissue, roughly."""
    torch.manual_seed(0)
    model = RAXNet()
    for part in model.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = 0.1
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    decay = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, iterations)
    rng = np.random.default_rng(0)
    for _ in range(iterations):
        images, masks = draw_batch(array, target, rng)
        optimizer.zero_grad()
        logits = model(images)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, masks)
        prob = logits.sigmoid()
        overlap = 2 * (prob * masks).sum() / (prob.sum() + masks.sum() + 1)
        (loss + 1 - overlap).backward()
        optimizer.step()
        decay.step()
    return model.eval()


def draw_batch(
    array: np.ndarray, target: np.ndarray, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Patches around the lesion and elsewhere, from all planes."""
    images, masks = [], []
    for number in range(6):
        plane = PLANES[number % 3]
        slices, labels = split_slices(array, plane), split_slices(target, plane)
        shown = np.flatnonzero(labels.any(axis=(1, 2)))
        index = rng.choice(shown) if number < 4 else rng.integers(len(slices))
        rows, columns = (rng.integers(0, n - 96) for n in slices.shape[1:])
        part = np.s_[rows : rows + 96, columns : columns + 96]
        images.append(slices[index][part] / SCALE)
        masks.append(labels[index][part])
    stacked = [np.stack(one)[:, None].astype(np.float32) for one in (images, masks)]
    return torch.from_numpy(stacked[0]), torch.from_numpy(stacked[1])


def report(
    args: argparse.Namespace,
    scan: Volume,
    seconds: dict[str, float],
    probs: dict[str, dict[str, np.ndarray]],
    masks: dict[str, np.ndarray],
) -> int:
    """Print the table; 1 if something required is missed."""
    count = blank = 0
    for plane in probs['reference']:
        slices = split_slices(scan.array, plane)
        count += len(slices)
        blank += sum(not one.any() for one in slices)
    share = masks['reference'].mean()
    print(f'torch {torch.__version__}, one thread; {count} slices, {blank} of them')
    print(f'blank; {share:.2%} of the voxels in the mask\n')
    print(
        f'{"way":14}{"CPU s":>8}{"ms/slice":>10}{"ratio":>8}{"max diff":>12}{"Dice":>9}'
    )
    failed = False
    required = {'ours': args.require, 'ours, bf16': args.require_bf16}
    for way, spent in seconds.items():
        ratio = seconds['reference'] / spent
        difference = max(
            float(np.abs(probs[way][plane] - prob).max())
            for plane, prob in probs['reference'].items()
        )
        dice = compute_dice(masks[way], masks['reference'])
        print(
            f'{way:14}{spent:8.1f}{1000 * spent / count:10.1f}{ratio:8.2f}'
            f'{difference:12.1e}{dice:9.5f}'
        )
        failed |= ratio < (required.get(way) or 0) or dice < 0.999
        failed |= way == 'ours' and difference > TOLERANCE
    if failed:
        print('missed: a required ratio, equal outputs, or Dice 0.999')
    return int(failed)


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('--planes', nargs='+', choices=PLANES, help='some of them only')
    add('--iterations', type=int, default=250, help='of fitting the weights (250)')
    add('--head', action='store_true', help='a head, not a brain: few blank slices')
    add('--require', type=float, help='exit 1 below this ratio in float32')
    add('--require-bf16', type=float, help='exit 1 below this ratio in bfloat16')
    return parser.parse_args()


if __name__ == '__main__':
    sys.exit(main())
