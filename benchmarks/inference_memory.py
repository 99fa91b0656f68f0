"""Memory of a 3-D prediction of many classes: plane by plane against all at once.

Each variant runs in a process of its own, because the figure is the process's peak
resident memory. A network that only multiplies stands for a real one, whose own needs
would hide the question. Ours reads the scan from a NIfTI file and writes the mask; the
peer is the plain sliding window that keeps all classes of the whole volume.

    python benchmarks/inference_memory.py
    python benchmarks/inference_memory.py --full --require-gib 3
    python benchmarks/inference_memory.py --full --overlap 0.25
"""

import argparse
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmmed.functional.probabilities import activate_logits
from mmmed.functional.sliding_window import predict_by_windows
from mmmed.inference import (
    Inferencer,
    LoadedNetworks,
    RunOptions,
    ScanRecipe,
    infer_scans,
)
from mmmed.io import read_volume, write_volume
from mmmed.structures import Volume

SMALL = {'shape': (96, 192, 192), 'classes': 100, 'memory_mib': 96}
FULL = {'shape': (800, 512, 512), 'classes': 100, 'memory_mib': None}
WINDOW = (16, 64, 64)
FULL_WINDOW = (16, 128, 128)


class ManyClasses:
    """Logits of class k are k / K times the input."""

    device = torch.device('cpu')

    def __init__(self, classes: int) -> None:
        self.factors = torch.arange(classes) / classes

    def __call__(self, inputs: Tensor) -> Tensor:
        """Logits (N, K, Z, Y, X) of inputs (N, 1, Z, Y, X)."""
        return inputs * self.factors.view(1, -1, 1, 1, 1)


def make_recipe(spec: dict) -> ScanRecipe:
    """Windows side by side, or overlapping by a share of their size."""
    names = tuple(f'class{k}' for k in range(spec['classes']))
    return ScanRecipe(
        classes=names,
        out_channels=len(names),
        dimension=3,
        orientation='SAR',
        crop_size=tuple(spec['window']),
        stride=make_stride(spec),
    )


def make_stride(spec: dict) -> tuple[int, ...]:
    """Distance of windows."""
    share = 1 - spec.get('overlap', 0.0)
    return tuple(max(1, round(share * size)) for size in spec['window'])


def run_ours(spec: dict, folder: Path) -> None:
    """From file to file."""
    recipe = make_recipe(spec)
    network = ManyClasses(spec['classes'])
    loaded = LoadedNetworks((network,), recipe, (('none', '0' * 64),))
    inferencer = Inferencer(
        loaded.networks, recipe, batch_size=1, memory_mib=spec['memory_mib']
    )
    outcome = infer_scans(
        inferencer, loaded, folder / 'scan.nii.gz', folder / 'out', RunOptions()
    )
    if outcome.exit_code:
        raise RuntimeError(outcome.summarize()['errors'])


def run_peer(spec: dict, folder: Path) -> None:
    """All classes of the whole volume, then labels."""
    volume = read_volume(folder / 'scan.nii.gz')
    network = ManyClasses(spec['classes'])
    prob = predict_by_windows(
        torch.from_numpy(volume.array.astype(np.float32))[None, None],
        lambda windows, _: activate_logits(network(windows)),
        window=spec['window'],
        stride=make_stride(spec),
        window_batch=1,
    )
    labels = prob.argmax(1)[0].numpy().astype(np.uint8)
    write_volume(volume.replace_array(labels), folder / 'peer.nii.gz', like=volume)


def read_peak_mib() -> float:
    """Largest resident memory of this process so far."""
    # Not ru_maxrss, which a child inherits from whoever started it.
    status = Path('/proc/self/status').read_text()
    return int(re.findall(r'VmHWM:\s+(\d+) kB', status)[0]) / 1024


def run_child(spec: dict, folder: Path) -> None:
    """Run one variant and print what it took."""
    torch.set_num_threads(1)
    base = read_peak_mib()
    cpu, wall = time.process_time(), time.perf_counter()
    (run_ours if spec['variant'] == 'ours' else run_peer)(spec, folder)
    result = {
        'peak_mib': read_peak_mib(),
        'base_mib': base,
        'cpu_s': time.process_time() - cpu,
        'wall_s': time.perf_counter() - wall,
    }
    print(json.dumps(result))


def measure(spec: dict, folder: Path) -> dict:
    """One variant in a process of its own."""
    command = [sys.executable, __file__, '--child', json.dumps(spec), str(folder)]
    environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def make_scan(shape: tuple[int, ...], path: Path) -> None:
    """CT numbers in bands, so that many classes win somewhere."""
    z, y, x = (np.arange(n, dtype=np.int16) for n in shape)
    bands = (z[:, None, None] + y[:, None] // 3 + x // 5) % 97 - 48
    write_volume(Volume(bands, (1.5, 0.8, 0.8)), path)


def main() -> int:
    """Print the table; fail if ours exceeds what is required."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--full', action='store_true', help='800 x 512 x 512')
    parser.add_argument('--overlap', type=float, default=0.0, help='of windows (0)')
    parser.add_argument('--slices', type=int, help='of the scan, instead of 96 or 800')
    parser.add_argument('--require-gib', type=float, help='largest peak of ours')
    parser.add_argument('--child', nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        run_child(json.loads(args.child[0]), Path(args.child[1]))
        return 0
    spec = {**(FULL if args.full else SMALL)}
    spec |= {
        'window': FULL_WINDOW if args.full else WINDOW,
        'overlap': args.overlap,
        'shape': (args.slices or spec['shape'][0], *spec['shape'][1:]),
    }
    held = 4 * spec['classes'] * math.prod(spec['shape']) / 2**30
    print(f'{spec["shape"]}, {spec["classes"]} classes: {held:.1f} GiB of floats')
    results = {}
    with tempfile.TemporaryDirectory() as name:
        make_scan(spec['shape'], Path(name) / 'scan.nii.gz')
        for variant in ('ours',) if args.full else ('peer', 'ours'):
            found = measure({**spec, 'variant': variant}, Path(name))
            results[variant] = found
            print(
                f'{variant}: peak {found["peak_mib"]:.0f} MiB, of which '
                f'{found["base_mib"]:.0f} before it began; {found["cpu_s"]:.0f} s CPU, '
                f'{found["wall_s"]:.0f} s'
            )
    print(json.dumps(results))
    limit = args.require_gib
    return int(limit is not None and results['ours']['peak_mib'] > limit * 1024)


if __name__ == '__main__':
    sys.exit(main())
