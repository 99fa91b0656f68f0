"""CPU time of one slice through each complete network, the ways to run it in turns.

One thread, one process; the best of several rounds of CPU time, so that other load on
the machine does not count. "published" is RAX-Net in the order of its publication
(1x1 convolutions after the upsampling), eager, one slice a call: the reference's way.

    python benchmarks/network_forward.py [--networks RAXNet] [--compile]
"""

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import mmmed.compat  # noqa: F401  (before the host's models)
from mmmed.models.networks import CLCINet, DUNet, RAXNet, XNet, fold_for_inference
from mmmed.models.networks.layers import upsample_nearest
from mmmed.models.networks.raxnet import ResidualAttention

NETWORKS = {'RAXNet': RAXNet, 'XNet': XNet, 'CLCINet': CLCINet, 'DUNet': DUNet}


class PublishedAttention(ResidualAttention):
    """The attention unit with its upsampling first."""

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        """Mixture of the size of ``skip``."""
        mixed = self.from_below(upsample_nearest(below)) + self.from_skip(skip)
        return self.mix(torch.relu(mixed))


def build_ways(network: nn.Module, *, use_compile: bool) -> dict[str, Callable]:
    """The network in each way to run it."""
    folded = fold_for_inference(network)
    half = fold_for_inference(network).bfloat16()
    ways: dict[str, Callable] = {}
    if isinstance(network, RAXNet):
        ways['published'] = build_published(network)
    ways['eager'] = network
    ways['folded'] = folded
    if use_compile:
        ways['compiled'] = torch.compile(network, dynamic=False)
        ways['folded + compiled'] = torch.compile(folded, dynamic=False)
    ways['folded bf16'] = lambda x: half(x.bfloat16()).float()
    return ways


def build_published(network: RAXNet) -> RAXNet:
    """The same weights in the published order."""
    published = RAXNet().eval()
    published.load_state_dict(network.state_dict())
    for part in published.modules():
        if isinstance(part, ResidualAttention):
            part.__class__ = PublishedAttention
    return published


def count_gmac(network: Callable, images: Tensor) -> float:
    """Billions of multiply-accumulations of one call."""
    with FlopCounterMode(display=False) as counter:
        network(images)
    return counter.get_total_flops() / 2e9


def measure(ways: dict[str, Callable], images: Tensor, rounds: int) -> dict[str, float]:
    """Best CPU milliseconds a slice of each way, taken in turns."""
    best = dict.fromkeys(ways, float('inf'))
    for way in ways.values():
        way(images)  # compiles, and prepares weights
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.process_time()
            way(images)
            seconds = time.process_time() - start
            best[name] = min(best[name], 1e3 * seconds / len(images))
    return best


@torch.inference_mode()
def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--size', type=int, nargs=2, default=(208, 240))
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--batches', type=int, nargs='+', default=(1, 8))
    parser.add_argument('--networks', nargs='+', default=list(NETWORKS))
    parser.add_argument('--compile', action='store_true', help='takes minutes')
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(
        '| network | slices a call | way | GMAC | ms a slice | speed-up | / RAX-Net |'
    )
    print('|---|---|---|---|---|---|---|')
    rax: dict[tuple[int, str], float] = {}
    for title in args.networks:
        torch.manual_seed(0)
        network = NETWORKS[title]().eval()
        for batch in args.batches:
            images = torch.rand(batch, network.in_channels, *args.size)
            # The first way of a network, one slice a call, is what it is compared with.
            ways = build_ways(network, use_compile=args.compile and batch == 1)
            times = measure(ways, images, args.rounds)
            if batch == args.batches[0]:
                reference = next(iter(times.values()))
            for name, ms in times.items():
                counted = ways[name] if name == 'published' else network
                gmac = count_gmac(counted, images[:1])
                rax.setdefault((batch, name), ms)
                print(
                    f'| {title} | {batch} | {name} | {gmac:.2f} | {ms:.1f} '
                    f'| {reference / ms:.2f} | {ms / rax[batch, name]:.2f} |'
                )


if __name__ == '__main__':
    main()
