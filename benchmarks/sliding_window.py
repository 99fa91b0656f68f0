"""Sliding windows over 256 x 256 x 128: ours against MONAI, CPU time and numbers.

The network is nearly free (its answer is three times the window), and its own time is
taken apart, so that cutting, weighting and stitching are what is measured: the
overhead. Three classes, windows of 96^3, half overlap, Gaussian weights. A third run
leaves out windows beside an organ that fills a fifth of the planes. One process, one
thread, interleaved; what counts is the ratio.

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


class Network:
    """Answers three times the window; counts its own CPU time and calls."""

    def __init__(self) -> None:
        self.seconds, self.calls = 0.0, 0

    def __call__(self, windows: torch.Tensor, *_: object) -> torch.Tensor:
        """The answer."""
        start = time.process_time()
        answer = windows.repeat(1, 3, 1, 1, 1)
        self.seconds += time.process_time() - start
        self.calls += len(windows)
        return answer


def run_ours(
    img: torch.Tensor, network: Network, needed: torch.Tensor | None = None
) -> torch.Tensor:
    """As ``mmmed.VolumeSegmentor`` does."""
    return predict_by_windows(
        img,
        network,
        window=WINDOW,
        stride=[n // 2 for n in WINDOW],
        window_weights=torch.from_numpy(compute_gaussian_weights(WINDOW)),
        window_batch=1,
        needed=needed,
    )


def run_monai(img: torch.Tensor, network: Network) -> torch.Tensor:
    """As the liver tumor recipes do."""
    return sliding_window_inference(
        img, WINDOW, 1, network, overlap=0.5, mode='gaussian'
    )


def main() -> int:
    """Print the table; exit 1 where ours is slower than required."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=9)
    parser.add_argument('--require', type=float, help='largest ratio of medians')
    args = parser.parse_args()
    torch.set_num_threads(1)
    img = torch.rand(1, 1, *SHAPE)
    organ = torch.zeros(1, *SHAPE, dtype=torch.bool)
    organ[:, :, 20:130, 30:150] = True
    runs = {
        'ours': run_ours,
        'MONAI': run_monai,
        'ours, organ only': lambda img, net: run_ours(img, net, organ),
    }
    expected = img.expand(-1, 3, -1, -1, -1)
    total: dict[str, list[float]] = {name: [] for name in runs}
    overhead: dict[str, list[float]] = {name: [] for name in runs}
    calls, worst = dict.fromkeys(runs, 0), dict.fromkeys(runs, 0.0)
    for turn in range(args.rounds + 1):
        for name, run in runs.items():
            network = Network()
            start = time.process_time()
            result = run(img, network)
            spent = time.process_time() - start
            if turn:
                total[name].append(1000 * spent)
                overhead[name].append(1000 * (spent - network.seconds))
                continue
            # Whatever the windows, a local network's answer is that of the whole.
            apart = (result - expected).abs().amax(dim=1)
            worst[name] = float(apart[organ if 'only' in name else ...].max())
            calls[name] = network.calls
    print('CPU ms            windows    total  network  overhead  off by at most')
    for name in runs:
        whole, rest = (statistics.median(v[name]) for v in (total, overhead))
        print(
            f'{name:16}{calls[name]:9}{whole:9.0f}{whole - rest:9.0f}{rest:10.0f}'
            f'{worst[name]:16.1e}'
        )
    ratio = statistics.median(total['ours']) / statistics.median(total['MONAI'])
    rest = statistics.median(overhead['ours']) / statistics.median(overhead['MONAI'])
    print(f'ours / MONAI: total {ratio:.2f}, overhead {rest:.2f}')
    return int(args.require is not None and ratio > args.require)


if __name__ == '__main__':
    sys.exit(main())
