"""Surface metrics: ours against surface-distance, CPU time.

Ours gives surface Dice, HD95 and ASSD; the peer is timed for surface Dice and HD95
alone. Masks are made; one process, one thread, the two interleaved round by round, so
that a busy machine slows both alike; what counts is the ratio.

    python benchmarks/surface_distances.py
    python benchmarks/surface_distances.py --rounds 9 --require 0.3
"""

import argparse
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator

os.environ.setdefault('OMP_NUM_THREADS', '1')

import numpy as np
import surface_distance as peer

from mmmed.functional.surface import compute_surface_distances

LIVER = (200, 512, 512)
LIVER_SPACING = (1.5, 0.8, 0.8)
HEAD = (197, 233, 189)
HEAD_SPACING = (1.0, 1.0, 1.0)
TOLERANCE_MM = 2.0

Mask = np.ndarray
Case = tuple[str, Mask, Mask, tuple[float, ...]]


def main() -> int:
    """Measure, print the table, and compare with ``--require``."""
    args = parse_args()
    # The peer uses names that SciPy has moved.
    warnings.simplefilter('ignore', DeprecationWarning)
    print(
        f'NumPy {np.__version__}, one thread, {args.rounds} rounds, CPU milliseconds\n'
    )
    print(
        f'{"case":34}{"peer":>9}{"ours":>8}{"ours/peer":>11}{"range":>14}'
        f'{"NSD":>8}{"HD95":>7}{"ASSD":>7}   largest differences'
    )
    worst = 0.0
    for name, pred, target, spacing in make_cases():
        if args.only not in name:
            continue
        peer_ms, our_ms, values, differences = compare(
            pred, target, spacing, args.rounds
        )
        ratios = [our / their for our, their in zip(our_ms, peer_ms, strict=True)]
        middle = statistics.median(ratios)
        if name.startswith('liver'):
            worst = max(worst, middle)
        spread = f'{min(ratios):.3f}-{max(ratios):.3f}'
        print(
            f'{name:34}{min(peer_ms):9.1f}{min(our_ms):8.1f}{middle:11.3f}{spread:>14}'
            f'{values[0]:8.4f}{values[1]:7.2f}{values[2]:7.3f}   '
            + ' '.join(f'{difference:.0e}' for difference in differences)
        )
    if args.require is not None and worst > args.require:
        print(f'ratio {worst:.3f} of a liver is above the required {args.require:g}')
        return 1
    return 0


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=3, help='interleaved rounds')
    parser.add_argument('--only', default='', help='cases with this in their name')
    parser.add_argument('--require', type=float, help='fail if a liver is above this')
    return parser.parse_args()


def make_cases() -> Iterator[Case]:
    """Pairs of masks, made when they are needed."""
    target = make_organ(LIVER, (100, 256, 200), (70, 110, 140))
    near = make_organ(LIVER, (100, 256, 200), (70, 110, 140), waves=9)
    poor = make_organ(LIVER, (82, 230, 230), (60, 70, 120))
    yield 'liver, good', near, target, LIVER_SPACING
    yield (
        'liver, shifted 1, 2, 1 voxels',
        move(target, (1, 2, 1)),
        target,
        LIVER_SPACING,
    )
    yield 'liver, shifted 3 voxels', move(target, (0, 3, 0)), target, LIVER_SPACING
    yield 'liver, shifted 30 slices', move(target, (30, 0, 0)), target, LIVER_SPACING
    yield 'liver, poor', poor, target, LIVER_SPACING
    speckles = np.random.default_rng(0).random(LIVER) < 1e-5
    yield 'liver, good, with speckles', near | speckles, target, LIVER_SPACING
    halves = [
        make_organ(LIVER, c, (45, 100, 110)) for c in ((60, 130, 130), (140, 380, 380))
    ]
    yield 'liver, beside it', *halves, LIVER_SPACING
    noise = [np.random.default_rng(seed).random(LIVER) < 1e-3 for seed in (0, 1)]
    yield 'noise, 0.1 % of 512x512x200', *noise, LIVER_SPACING
    lesion = make_organ(HEAD, (90, 100, 80), (6, 8, 7))
    yield 'small lesion, 197x233x189', move(lesion, (1, 1, 0)), lesion, HEAD_SPACING
    other = make_organ(HEAD, (60, 150, 110), (6, 7, 8))
    yield 'small lesion, elsewhere', other, lesion, HEAD_SPACING
    yield 'one slice 512x512', near[100], target[100], LIVER_SPACING[1:]


def make_organ(
    shape: tuple[int, ...],
    center: tuple[int, ...],
    radii: tuple[int, ...],
    waves: int = 4,
) -> Mask:
    """An ellipsoid with a wavy surface."""
    z, y, x = (
        (np.arange(size, dtype=np.float32) - middle) / radius
        for size, middle, radius in zip(shape, center, radii, strict=True)
    )
    square = z[:, None, None] ** 2 + y[:, None] ** 2 + x**2
    bumps = np.sin(waves * z)[:, None, None] * np.cos(waves * y)[:, None]
    return square + np.float32(0.015) * (bumps + np.sin(waves * x)) <= 1


def move(mask: Mask, steps: tuple[int, ...]) -> Mask:
    """The mask some voxels farther along each axis."""
    return np.roll(mask, steps, axis=(0, 1, 2))


def compare(
    pred: Mask, target: Mask, spacing: tuple[float, ...], rounds: int
) -> tuple[list[float], list[float], tuple[float, ...], list[float]]:
    """Milliseconds of peer and ours per round, our values, and the differences."""
    peer_ms, our_ms = [], []
    for turn in range(rounds + 1):
        their_time, theirs = clock(lambda: measure_peer(pred, target, spacing))
        our_time, ours = clock(lambda: measure_ours(pred, target, spacing))
        if turn:  # the first round warms up
            peer_ms.append(their_time)
            our_ms.append(our_time)
    *scores, found = theirs
    means = peer.compute_average_surface_distance(found)
    areas = found['surfel_areas_gt'].sum(), found['surfel_areas_pred'].sum()
    scores.append(np.average(means, weights=areas))
    return peer_ms, our_ms, ours, np.abs(np.subtract(ours, scores)).tolist()


def clock(call: Callable[[], tuple]) -> tuple[float, tuple]:
    """CPU milliseconds of one call, and its result."""
    start = time.process_time()
    result = call()
    return 1e3 * (time.process_time() - start), result


def measure_peer(pred: Mask, target: Mask, spacing: tuple[float, ...]) -> tuple:
    """Surface Dice and HD95, and the distances for the rest."""
    found = peer.compute_surface_distances(target, pred, spacing)
    return (
        peer.compute_surface_dice_at_tolerance(found, TOLERANCE_MM),
        peer.compute_robust_hausdorff(found, 95),
        found,
    )


def measure_ours(pred: Mask, target: Mask, spacing: tuple[float, ...]) -> tuple:
    """Surface Dice, HD95 and ASSD."""
    distances = compute_surface_distances(pred, target, spacing)
    return (
        distances.compute_surface_dice(TOLERANCE_MM),
        distances.compute_hausdorff(95),
        distances.compute_average(),
    )


if __name__ == '__main__':
    sys.exit(main())
