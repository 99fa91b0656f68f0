"""Sliding windows over 256 x 256 x 128: ours against MONAI, CPU time and numbers.

The network is free (its answer is three times the window), so that cutting, weighting
and stitching are what is measured. Three classes, windows of 96^3, half overlap,
Gaussian weights. One process, one thread, interleaved; what counts is the ratio.

    python benchmarks/sliding_window.py
    python benchmarks/sliding_window.py --rounds 3 --require 1.0
"""

import argparse
import statistics
import sys
import time

import torch
from monai.inferers import sliding_window_inference

from mmmed.functional.sliding_window import predict_by_windows
from mmmed.functional.tiling import compute_gaussian_weights

SHAPE, WINDOW = (128, 256, 256), (96, 96, 96)


def run_ours(img: torch.Tensor) -> torch.Tensor:
    """As ``mmmed.VolumeSegmentor`` does."""
    return predict_by_windows(
        img,
        lambda windows, _: windows.repeat(1, 3, 1, 1, 1),
        window=WINDOW,
        stride=[n // 2 for n in WINDOW],
        window_weights=torch.from_numpy(compute_gaussian_weights(WINDOW)),
        window_batch=1,
    )


def run_monai(img: torch.Tensor) -> torch.Tensor:
    """As the liver tumor recipes do."""
    return sliding_window_inference(
        img,
        WINDOW,
        1,
        lambda windows: windows.repeat(1, 3, 1, 1, 1),
        overlap=0.5,
        mode='gaussian',
    )


def main() -> int:
    """Print the table; exit 1 where ours is slower than required."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=9)
    parser.add_argument('--require', type=float, help='largest ratio of medians')
    args = parser.parse_args()
    torch.set_num_threads(1)
    img = torch.rand(1, 1, *SHAPE)
    times: dict[str, list[float]] = {'ours': [], 'monai': []}
    for turn in range(args.rounds + 1):
        for name, run in (('ours', run_ours), ('monai', run_monai)):
            start = time.process_time()
            result = run(img)
            if turn:
                times[name].append(1000 * (time.process_time() - start))
            # Whatever the windows, a local network's answer is that of the whole.
            torch.testing.assert_close(result, img.expand(-1, 3, -1, -1, -1))
    ours, monai = (statistics.median(times[name]) for name in ('ours', 'monai'))
    print(f'CPU ms: ours {ours:.0f}, MONAI {monai:.0f}, ratio {ours / monai:.2f}')
    return int(args.require is not None and ours / monai > args.require)


if __name__ == '__main__':
    sys.exit(main())
