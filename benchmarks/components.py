"""Connected components and lesion matching: ours against SciPy and cc3d, CPU time.

Sixty balls in 512 x 512 x 200; one process, one thread, interleaved. cc3d takes part
if it is installed; mmmed does not need it.

    python benchmarks/components.py
"""

import importlib
import os
import statistics
import sys
import time
from collections.abc import Callable

os.environ.setdefault('OMP_NUM_THREADS', '1')

import numpy as np
from scipy.ndimage import find_objects, generate_binary_structure, label

from mmmed.functional.components import label_components, measure_components
from mmmed.functional.lesions import match_lesions

SHAPE = (200, 512, 512)
ROUNDS = 5


def main() -> int:
    """Measure and print the table."""
    target = make_balls(60)
    pred = np.roll(target, (1, 2, 1), axis=(0, 1, 2))
    print(f'NumPy {np.__version__}, one thread, CPU milliseconds, best of {ROUNDS}\n')
    print(f'{"call":36}{"ms":>9}{"scipy / it":>12}')
    for connectivity, differing in ((6, 1), (26, 3)):
        compare_labels(target, connectivity, differing)
    calls = {
        'measure_components': lambda: measure_components(target, (1, 1, 1)),
        'match_lesions': lambda: match_lesions(pred, target, (1, 1, 1)),
    }
    for name, times in clock(calls).items():
        print(f'{name:36}{min(times):9.1f}')
    return 0


def compare_labels(mask: np.ndarray, connectivity: int, differing: int) -> None:
    """Print label maps of one connectivity, and check that they agree."""
    structure = generate_binary_structure(3, differing)
    box = find_objects(mask.view(np.uint8))[0]
    calls = {
        'scipy': lambda: label(mask, structure)[0],
        'scipy, cropped': lambda: label(mask[box], structure)[0],
        'ours': lambda: label_components(mask, connectivity=connectivity)[0],
    }
    try:
        cc3d = importlib.import_module('cc3d')
        calls['cc3d'] = lambda: cc3d.connected_components(
            mask, connectivity=connectivity
        )
    except ImportError:
        pass
    assert np.array_equal(calls['ours'](), calls['scipy']())
    times = clock(calls)
    for name, values in times.items():
        ratios = [s / v for s, v in zip(times['scipy'], values, strict=True)]
        title = f'label, {connectivity} neighbours: {name}'
        print(f'{title:36}{min(values):9.1f}{statistics.median(ratios):12.1f}')


def clock(calls: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """CPU milliseconds of every call in every round."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(ROUNDS + 1):
        for name, call in calls.items():
            start = time.process_time()
            call()
            if turn:  # the first round warms up
                times[name].append(1e3 * (time.process_time() - start))
    return times


def make_balls(count: int) -> np.ndarray:
    """Balls of radius 3 to 15 at random places, some touching."""
    rng = np.random.default_rng(0)
    mask = np.zeros(SHAPE, bool)
    for _ in range(count):
        center, radius = rng.integers(20, np.subtract(SHAPE, 20)), rng.uniform(3, 15)
        box = tuple(slice(middle - 16, middle + 17) for middle in center)
        steps = np.ogrid[-16:17, -16:17, -16:17]
        mask[box] |= sum(step**2 for step in steps) < radius**2
    return mask


if __name__ == '__main__':
    sys.exit(main())
