"""Augmentation of one 128^3 sample cut from 180^3: ours against MONAI, CPU time.

Both rotate, scale and cut, mirror, change contrast and gamma, add noise, blur and lose
resolution, image (linear) and labels (nearest); ours from the arrays, in one
resampling. ``default``: each change with nnU-Net's default probability; ``always``:
every change in every sample. One process, one thread, interleaved round by round;
what counts is the ratio of CPU times. Where neither rotation nor scaling is drawn, ours
cuts the patch, while MONAI's RandAffined still resamples it to cut it.

    python benchmarks/volume_augmentation.py
    python benchmarks/volume_augmentation.py --rounds 10 --require 1.0
"""

import argparse
import statistics
import sys
import time

import numpy as np
import torch

import mmmed.compat  # noqa: F401
from mmmed.datasets import RandomAffineVolume, RandomFlipVolume, RandomIntensityVolume
from mmmed.datasets.transforms.volume_pending import PendingWarp, make_warp
from mmmed.datasets.transforms.volume_spatial import apply_warp
from mmmed.functional.volume_warp import find_source_box

SOURCE, SIZE = 180, (128, 128, 128)
PROBS = {
    'default': {
        'rotate': 0.2, 'gain': 0.15, 'gamma': 0.3, 'noise': 0.1, 'blur': 0.2,
        'zoom': 0.25,
    },
    'always': dict.fromkeys(('rotate', 'gain', 'gamma', 'noise', 'blur', 'zoom'), 1.0),
}  # fmt: skip


def make_case() -> tuple[np.ndarray, np.ndarray]:
    """Noise with a ball of each of two labels."""
    rng = np.random.default_rng(0)
    img = rng.random((1, *[SOURCE] * 3), dtype=np.float32)
    z, y, x = np.ogrid[:SOURCE, :SOURCE, :SOURCE]
    seg = np.zeros([SOURCE] * 3, np.uint8)
    seg[(z - 90) ** 2 + (y - 80) ** 2 + (x - 95) ** 2 < 45**2] = 1
    seg[(z - 100) ** 2 + (y - 85) ** 2 + (x - 90) ** 2 < 12**2] = 2
    return img, seg


def make_ours(kind: str):
    """Our transforms on a case in memory, as the loader would read its box."""
    probs = PROBS[kind]
    affine = RandomAffineVolume(
        rotate_prob=probs['rotate'], scale_prob=probs['rotate'], elastic_prob=0.0
    )
    flip = RandomFlipVolume()
    intensity = RandomIntensityVolume(
        **{f'{n}_prob': p for n, p in probs.items() if n != 'rotate'}
    )

    def run(img: np.ndarray, seg: np.ndarray, seed: int) -> dict:
        sample = affine({'rng': np.random.default_rng(seed), 'seg_fields': ['seg']})
        drawn = sample.pop('drawn_warp')
        center = [(SOURCE - 1) / 2] * 3
        warp = drawn.build(SIZE, (1, 1, 1), (1, 1, 1), center)
        warp = make_warp(warp.matrix, center)
        box = [
            (max(low, 0), min(high, SOURCE))
            for low, high in find_source_box(warp, SIZE)
        ]
        part = tuple(slice(*axis) for axis in box)
        sample['img'], sample['seg'] = img[(slice(None), *part)], seg[part]
        sample['pending_warp'] = PendingWarp(warp.shift([a for a, _ in box]), SIZE)
        sample = flip(sample)
        sample = apply_warp(sample, sample.pop('pending_warp'))
        return intensity(sample)

    return run


def make_monai(kind: str):
    """MONAI's transforms by dictionary, as its segmentation recipes use them."""
    from monai import transforms as mt
    from monai.utils import set_determinism

    set_determinism(0)
    probs, keys = PROBS[kind], ['img', 'seg']
    always = kind == 'always'
    angle = np.pi / 6
    # Rotation and scaling are one transform there too, so one probability: that of
    # either happening here.
    either = 1.0 if always else 1 - (1 - probs['rotate']) ** 2
    chain = mt.Compose(
        [
            mt.RandAffined(
                keys, prob=either, rotate_range=[angle] * 3, scale_range=[0.3] * 3,
                spatial_size=SIZE, mode=('bilinear', 'nearest'), padding_mode='zeros',
            ),
            *[mt.RandFlipd(keys, prob=0.5, spatial_axis=axis) for axis in range(3)],
            mt.RandSimulateLowResolutiond(
                'img', prob=probs['zoom'], zoom_range=(0.5, 1.0)
            ),
            mt.RandGaussianSmoothd('img', prob=probs['blur']),
            mt.RandScaleIntensityd('img', factors=0.25, prob=probs['gain']),
            mt.RandAdjustContrastd('img', prob=probs['gamma'], gamma=(0.7, 1.5)),
            mt.RandGaussianNoised('img', prob=probs['noise'], std=0.1),
        ]
    )  # fmt: skip

    def run(img: np.ndarray, seg: np.ndarray, seed: int) -> dict:
        sample = {'img': torch.from_numpy(img), 'seg': torch.from_numpy(seg[None])}
        return chain(sample)

    return run


def measure(kind: str, rounds: int) -> dict[str, list[float]]:
    """CPU milliseconds of each sample, by maker."""
    img, seg = make_case()
    makers = {'ours': make_ours(kind), 'monai': make_monai(kind)}
    times: dict[str, list[float]] = {name: [] for name in makers}
    for seed in range(rounds + 1):
        for name, run in makers.items():
            start = time.process_time()
            run(img, seg, seed)
            if seed:  # the first warms up
                times[name].append(1000 * (time.process_time() - start))
    return times


def main() -> int:
    """Print a table; exit 1 where ours is slower than required."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=30)
    parser.add_argument('--require', type=float, help='largest ratio of means')
    args = parser.parse_args()
    torch.set_num_threads(1)
    worst = 0.0
    for kind in PROBS:
        times = measure(kind, args.rounds)
        ours, monai = (statistics.mean(times[name]) for name in ('ours', 'monai'))
        medians = [statistics.median(times[name]) for name in ('ours', 'monai')]
        worst = max(worst, ours / monai)
        print(
            f'{kind:8} mean CPU ms: ours {ours:6.0f}  MONAI {monai:6.0f}  ratio '
            f'{ours / monai:.2f}   medians {medians[0]:.0f} and {medians[1]:.0f}'
        )
    return int(args.require is not None and worst > args.require)


if __name__ == '__main__':
    sys.exit(main())
