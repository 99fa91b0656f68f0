"""NIfTI reading and writing: ours against nibabel, CPU time, one thread.

A generated CT of 512 x 512 x 200 int16 with noise in tissue and air, as scanners give
it, and its label map. One process, the variants interleaved round by round, so that a
busy machine slows all of them alike; what counts is the ratio of the best rounds. Gzip
levels and file sizes stand beside the times, since one can be bought with the other.

    python benchmarks/nifti_io.py
    python benchmarks/nifti_io.py --require     (fails above 0.5 read, 0.35 write)
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np

from mmmed.io import compression, read_volume, write_volume
from mmmed.structures import Volume

SPACING = (1.25, 0.8, 0.8)
LIMITS = {'read': 0.5, 'write': 0.35}


def main() -> int:
    """Measure, print the tables, and compare with ``--require``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--slices', type=int, default=200, help='of 512 x 512')
    parser.add_argument('--rounds', type=int, default=5, help='interleaved rounds')
    parser.add_argument('--require', action='store_true', help='fail above the limits')
    args = parser.parse_args()
    library = 'isal' if compression.isal_zlib else 'zlib'
    print(f'nibabel {nib.__version__}, NumPy {np.__version__}, ours through {library}')
    ct, labels = make_ct(args.slices)
    ratios = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        ratios = compare('CT int16', ct, folder, args.rounds)
        compare('label map uint8', labels, folder, args.rounds)
    missed = [name for name, limit in LIMITS.items() if ratios[name] > limit]
    if args.require and missed:
        print(f'above the limit: {", ".join(missed)}')
        return 1
    return 0


def make_ct(slices: int) -> tuple[np.ndarray, np.ndarray]:
    """CT numbers and organ labels of a body with noise, shape (slices, 512, 512)."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:512, :512].astype(np.float32)
    body = np.hypot((y - 256) / 180, (x - 256) / 235)
    ct = np.empty((slices, 512, 512), dtype=np.int16)
    labels = np.zeros(ct.shape, dtype=np.uint8)
    for z in range(slices):
        shift = 25 * np.sin(z / 30)
        hu = np.where(body < 1, 45, -1000).astype(np.float32)
        hu[(body > 0.88) & (body < 1)] = -100
        for label, (cy, cx, ry, rx, value) in enumerate(
            [(240, 170, 75, 90, 110), (250, 350, 50, 40, 130), (350, 256, 28, 30, 400)]
        ):
            organ = np.hypot((y - cy - shift) / ry, (x - cx) / rx) < 1
            hu[organ] = value
            labels[z][organ] = label + 1
        # Noise is smaller in air, where the scale ends; 0 HU outside the field.
        sigma = np.where(body < 1, 14, 6)
        hu += sigma * rng.standard_normal((512, 512), dtype=np.float32)
        hu[np.hypot(y - 256, x - 256) > 256] = -1024
        ct[z] = np.clip(np.rint(hu), -1024, 3071)
    return ct, labels


def compare(
    title: str, array: np.ndarray, folder: Path, rounds: int
) -> dict[str, float]:
    """Print one content's table; return ours / nibabel of reading and writing."""
    volume = Volume(array, SPACING)
    image = nib.Nifti1Image(array.T, volume.grid[:, [2, 1, 0, 3]])
    theirs, ours = folder / 'theirs.nii.gz', folder / 'ours.nii.gz'
    steps: dict[str, Callable[[], object]] = {
        'write nibabel': lambda: nib.save(image, theirs),
        'write ours': lambda: write_volume(volume, ours),
        'read nibabel': lambda: np.asarray(nib.load(theirs).dataobj),
        'read ours': lambda: read_volume(theirs).array,
    }
    times: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(rounds + 1):
        for name, step in steps.items():
            start = time.process_time()
            result = step()
            spent = time.process_time() - start
            if turn:  # the first round warms up
                times[name].append(1e3 * spent)
            if name == 'read ours' and not np.array_equal(result, array):
                raise SystemExit('our reader gave other values')
    sizes = {'nibabel': theirs.stat().st_size, 'ours': ours.stat().st_size}
    print(f'\n{title} {array.shape}, {array.nbytes / 2**20:.0f} MiB raw')
    print(f'{"":16}{"CPU ms":>9}{"ours/it":>9}{"range":>13}{"MiB":>8}  gzip level')
    ratios = {}
    for job in ('write', 'read'):
        pairs = zip(times[f'{job} ours'], times[f'{job} nibabel'], strict=True)
        each = [a / b for a, b in pairs]
        # Best of all rounds: what disturbs a round only ever adds to it.
        ratios[job] = min(times[f'{job} ours']) / min(times[f'{job} nibabel'])
        for who in ('nibabel', 'ours'):
            spent = min(times[f'{job} {who}'])
            row = f'{job + " " + who:16}{spent:9.0f}'
            if who == 'ours':
                row += f'{ratios[job]:9.2f}{f"{min(each):.2f}-{max(each):.2f}":>13}'
            elif job == 'write':
                row += ' ' * 22
            if job == 'write':
                level = 'zlib 1' if who == 'nibabel' else find_level()
                row += f'{sizes[who] / 2**20:8.1f}  {level}'
            print(row)
    return ratios


def find_level() -> str:
    """The level that our writer uses, with its library."""
    if compression.isal_zlib:
        return f'ISA-L {compression.ISAL_LEVEL}'
    return f'zlib {compression.ZLIB_LEVEL}'


if __name__ == '__main__':
    sys.exit(main())
