"""A random patch of a chunked volume against decoding the ``.nii.gz``, CPU time.

What a 3-D training does for every sample: a patch of 96 (or 40) voxels a side at a
random place of a CT of 512 x 512 x 200 int16 with noise, and of its label map. The
peers decode the compressed NIfTI file as a whole, through nibabel and through our own
reader, and cut the patch out of that. One process, one thread, files in the page
cache, the variants interleaved round by round; what counts is the ratio.

    python benchmarks/chunked_volumes.py
    python benchmarks/chunked_volumes.py --require 50
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
from nifti_io import make_ct

from mmmed.io import open_chunked, read_volume, write_chunked, write_volume
from mmmed.structures import Volume

SIZES = (96, 40)
PATCHES = 10


def main() -> int:
    """Measure, print the table, and compare with ``--require``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--slices', type=int, default=200, help='of 512 x 512')
    parser.add_argument('--rounds', type=int, default=5, help='interleaved rounds')
    parser.add_argument('--require', type=float, help='fail below nibabel / 96^3')
    args = parser.parse_args()
    ct, labels = make_ct(args.slices)
    print(f'nibabel {nib.__version__}, NumPy {np.__version__}, one thread\n')
    print(
        f'{"":10}{"variant":22}{"MiB":>7}{"CPU ms":>9}{"nibabel/it":>12}{"ours/it":>9}'
    )
    with tempfile.TemporaryDirectory() as scratch:
        ratio = compare('CT int16', ct, Path(scratch), args.rounds)
        compare('labels', labels, Path(scratch), args.rounds)
    print(f'\nnibabel decodes the CT in {ratio:.0f} times what a patch of 96^3 takes')
    if args.require is not None and ratio < args.require:
        print(f'below the required {args.require:g}')
        return 1
    return 0


def compare(title: str, array: np.ndarray, folder: Path, rounds: int) -> float:
    """Print one content's rows; return nibabel's time over that of a 96^3 patch."""
    nifti, chunked = folder / 'volume.nii.gz', folder / 'volume.b2nd'
    write_volume(Volume(array, (1.25, 0.8, 0.8)), nifti)
    start = time.process_time()
    write_chunked(array, chunked)
    spent = time.process_time() - start
    rng = np.random.default_rng(0)
    stored = open_chunked(chunked)
    steps: dict[str, Callable[[], object]] = {
        'nibabel': lambda: np.asarray(nib.load(nifti).dataobj),
        'our reader': lambda: read_volume(nifti).array,
        'chunked, whole': stored.read,
        'chunked, opening': lambda: open_chunked(chunked),
    }
    times: dict[str, list[float]] = {}
    for turn in range(rounds + 1):
        measured = {name: measure(step) for name, step in steps.items()}
        for size in SIZES:
            boxes = [draw_box(array.shape, size, rng) for _ in range(PATCHES)]
            each = [measure(lambda box=box: stored.read(box)) for box in boxes]  # type: ignore[misc]
            measured[f'chunked, {size}^3'] = statistics.fmean(each)
            if not np.array_equal(stored.read(boxes[0]), array[boxes[0]]):
                raise SystemExit('the chunked volume gave other values')
        for name, value in measured.items():
            if turn:  # the first round warms up
                times.setdefault(name, []).append(value)
    # The median of interleaved rounds: a patch is what a busy machine disturbs most.
    median = {name: statistics.median(values) for name, values in times.items()}
    files = {'nibabel': nifti, 'chunked, whole': chunked}
    for name, value in median.items():
        size = f'{files[name].stat().st_size / 2**20:.1f}' if name in files else ''
        ratios = f'{median["nibabel"] / value:12.1f}{median["our reader"] / value:9.1f}'
        print(f'{title:10}{name:22}{size:>7}{1e3 * value:9.2f}{ratios}')
    print(f'{title:10}{"chunked, writing":22}{"":7}{1e3 * spent:9.2f}')
    return median['nibabel'] / median['chunked, 96^3']


def measure(step: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    step()
    return time.process_time() - start


def draw_box(
    shape: tuple[int, ...], size: int, rng: np.random.Generator
) -> tuple[slice, ...]:
    """A cube somewhere inside."""
    starts = [int(rng.integers(0, n - size + 1)) for n in shape]
    return tuple(slice(start, start + size) for start in starts)


if __name__ == '__main__':
    sys.exit(main())
