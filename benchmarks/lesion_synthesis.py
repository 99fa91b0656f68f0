"""Synthetic lesions: CPU time of a volume by type, beside published figures' machine.

The phantoms and the call are those of a measurement of the published generator
(SyntheticTumors, public code) on a machine of the same kind: ellipsoidal liver of 267
thousand voxels in 96^3 and 1.51 million in 256 x 256 x 128, 1 mm. Its figures are
constants here, not measured again: the ratio says how the two compare, not more. One
call draws and applies one volume; copying the volume is not counted, as it was not
there. Ours needs no texture bank, for which the other spends 74 CPU-s and 3.2 GB.

    python benchmarks/lesion_synthesis.py [--preset full] [--device cuda]

On a device times are wall times; the aim of the full recipe is 50 ms a lesion there.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import replace

os.environ.setdefault('OMP_NUM_THREADS', '1')

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from mmmed.synthesis import get_recipe, synthesize
from mmmed.synthesis.automaton import grow_tumor
from mmmed.synthesis.automaton_plan import draw_growth, get_growth_recipe

SEEDS = 41
# Mean CPU seconds a call: tiny, small, medium, large, mix.
PUBLISHED = {
    '96x96x96': (0.024, 0.033, 0.061, 0.172, 0.286),
    '128x256x256': (0.169, 0.175, 0.185, 0.285, 0.443),
}
PHANTOMS = {
    '96x96x96': ((96, 96, 96), (38, 40, 42)),
    '128x256x256': ((128, 256, 256), (48, 75, 100)),
}


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--preset', default='public', choices=('public', 'full'))
    parser.add_argument('--device', default='cpu')
    args = parser.parse_args()
    torch.set_num_threads(1)
    report_start(args.preset)
    load = ', '.join(f'{value:.1f}' for value in os.getloadavg())
    print(f'preset {args.preset}, {args.device}, {SEEDS - 1} seeds, load {load}\n')
    unit = 'wall ms' if args.device != 'cpu' else 'CPU ms'
    print(
        f'{"phantom":14}{"type":8}{unit:>9}{"median":>9}{"lesions":>9}'
        f'{"ms/lesion":>11}{"published":>11}{"ratio":>8}{"share":>8}{"HU off":>8}'
    )
    for name, (shape, semi) in PHANTOMS.items():
        image, mask = make_phantom(shape, semi)
        types = get_recipe(args.preset).types
        for kind, published in zip(types, PUBLISHED[name], strict=True):
            print(f'{name:14}{kind:8}' + measure(image, mask, kind, published, args))
    report_growth(args.device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f'\npeak memory of the whole run {peak / 1024:.0f} MB, phantoms included')
    return 0


def report_start(preset: str) -> None:
    """CPU time and memory until the first sample is there, torch itself aside."""
    code = (
        'import resource as r, time, numpy as np, torch\n'
        'torch.set_num_threads(1)\n'
        't, m = time.process_time(), r.getrusage(r.RUSAGE_SELF).ru_maxrss\n'
        'from mmmed.synthesis import synthesize\n'
        'mask = np.ones((30, 30, 30), np.uint8)\n'
        'image = 110 + np.random.default_rng(0).standard_normal(mask.shape)\n'
        f'synthesize(image, mask, (1, 1, 1), 0, {preset!r})\n'
        'm = (r.getrusage(r.RUSAGE_SELF).ru_maxrss - m) / 1024\n'
        "print(f'start to first sample: {time.process_time() - t:.2f} CPU-s, '"
        "f'{m:.0f} MB above the peak of loading torch ({t:.2f} CPU-s)')\n"
    )
    subprocess.run([sys.executable, '-c', code], check=True)


def report_growth(device: str, steps: int = 60, seeds: int = 4) -> None:
    """Time of the cellular automaton on the small phantom, drawing it included."""
    image, mask = make_phantom(*PHANTOMS['96x96x96'])
    recipe = replace(get_growth_recipe('liver'), steps=(steps, steps))
    on_cpu = device == 'cpu'
    hu, inside = torch.from_numpy(image).to(device), torch.from_numpy(mask).to(device)
    spent, voxels = [], []
    for seed in range(seeds):
        start = _clock(on_cpu)
        rng = np.random.default_rng(seed)
        plan = draw_growth(image, mask > 0, (1, 1, 1), recipe, rng)
        grown = grow_tumor(hu, inside, (1, 1, 1), plan)
        spent.append(_clock(on_cpu) - start)
        voxels.append(grown.tumor_voxels)
    print(
        f'\nautomaton, 96x96x96, {steps} steps, {seeds} seeds: '
        f'{min(spent):.2f} to {max(spent):.2f} {"CPU-s" if on_cpu else "s"}, '
        f'{min(voxels)} to {max(voxels)} voxels'
    )


def measure(
    image: np.ndarray,
    mask: np.ndarray,
    kind: str,
    published: float,
    args: argparse.Namespace,
) -> str:
    """One line of the table."""
    times, counts, shares, errors = [], [], [], []
    on_cpu = args.device == 'cpu'
    label_in = mask if on_cpu else torch.from_numpy(mask).to(args.device)
    for seed in range(SEEDS):
        fresh = image.copy() if on_cpu else torch.from_numpy(image).to(args.device)
        start = _clock(on_cpu)
        got = synthesize(
            fresh,
            label_in,
            (1, 1, 1),
            seed,
            args.preset,
            lesion_type=kind,
            in_place=True,
        )
        spent = _clock(on_cpu) - start
        if not seed:  # the first one warms up
            continue
        out, label = (v if on_cpu else v.cpu().numpy() for v in got[:2])
        times.append(1e3 * spent)
        counts.append(len(got.lesions))
        shares.append((label == 2).sum() / mask.sum())
        if got.lesions:
            wanted = sum(one.voxels * one.delta_hu for one in got.lesions)
            change = (out - image)[label == 2].mean(dtype=np.float64)
            errors.append(abs(change - wanted / (label == 2).sum()))
    mean = statistics.mean(times)
    return (
        f'{mean:9.1f}{statistics.median(times):9.1f}{statistics.mean(counts):9.1f}'
        f'{sum(times) / max(sum(counts), 1):11.2f}{1e3 * published:11.0f}'
        f'{mean / (1e3 * published):8.2f}{statistics.mean(shares):8.3f}'
        f'{max(errors, default=0.0):8.3f}'
    )


def _clock(on_cpu: bool) -> float:
    if on_cpu:
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def make_phantom(
    shape: tuple[int, ...], semi: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Liver of 110 HU in 40 HU, with noise of 60 blurred by one voxel."""
    grid = np.ogrid[tuple(slice(0, size) for size in shape)]
    away = sum(
        ((g - (size - 1) / 2) / radius) ** 2
        for g, size, radius in zip(grid, shape, semi, strict=True)
    )
    mask = (away <= 1).astype(np.uint8)
    noise = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    image = np.where(mask, 110, 40) + 60 * gaussian_filter(noise, 1)
    return image.astype(np.float32), mask


if __name__ == '__main__':
    sys.exit(main())
