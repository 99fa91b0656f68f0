"""How balanced folds are: ours against scikit-learn's StratifiedGroupKFold.

Tables of the 100 real stroke masks (volume bins and slice bins of the ATLAS pipeline,
number of lesions, generated sites), as they are and grouped under generated patients of
one to fifteen masks; and random tables with several labels and skewed group sizes.
scikit-learn takes one label: it gets the combination of all columns.

Printed are means over seeds. "off" is the deviation of a level's rows in a fold from
the ideal fifth, in per cent of it, of all columns; "combined" the mean deviation, in
rows, of the combinations that scikit-learn balances; then the range of fold sizes.

    python benchmarks/split_balance.py [--seeds 20] [--folds 5]
"""

import argparse
import os
import random
import time
import warnings
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy import ndimage
from sklearn.model_selection import StratifiedGroupKFold

from mmmed.io import read_volume
from mmmed.preparation.splits import split_kfold

VOLUME_EDGES = (5_000, 30_000, 60_000, 100_000, 200_000)  # voxels of 1 mm3
SLICE_EDGES = (200, 500, 1000, 2000, 3000)  # pixels
SITES = 'AAAAAAABBBBBCCCDDEEEFF'  # as uneven as sites are

Columns = list[list[str]]
Table = tuple[str, list[str], Columns]


def name_bin(value: int, edges: tuple[int, ...]) -> str:
    """Number of the bin (low, high] of a value."""
    return str(bisect_left(edges, value))


def measure_masks(folder: Path) -> list[dict]:
    """Volume, number of lesions and area of each lesion slice, of every mask."""
    found = []
    for path in sorted(folder.glob('*.nii.gz')):
        mask = read_volume(path).array > 0
        areas = mask.sum((1, 2))
        number = ndimage.label(mask, np.ones((3, 3, 3)))[1]
        found.append(
            {
                'name': path.name[:-7],
                'volume': name_bin(int(mask.sum()), VOLUME_EDGES),
                'lesions': name_bin(number, (1, 3)),
                'slices': [name_bin(int(a), SLICE_EDGES) for a in areas[areas > 0]],
            }
        )
    return found


def make_mask_tables(masks: list[dict]) -> Iterator[Table]:
    """Tables of real lesions, from easy to hard."""
    rng = random.Random(0)
    names = [mask['name'] for mask in masks]
    volume = [mask['volume'] for mask in masks]
    lesions = [mask['lesions'] for mask in masks]
    site = [rng.choice(SITES) for _ in masks]
    yield 'masks: volume', names, [volume]
    yield 'masks: volume, lesions', names, [volume, lesions]
    yield 'masks: volume, lesions, site', names, [volume, lesions, site]
    slices = [
        (m, s, bin_) for m, s in zip(masks, site, strict=True) for bin_ in m['slices']
    ]
    owners = [mask['name'] for mask, _, _ in slices]
    area = [bin_ for _, _, bin_ in slices]
    yield 'slices: area', owners, [area]
    of_patient = [[m['volume'] for m, _, _ in slices], [s for _, s, _ in slices]]
    yield 'slices: area, volume, site', owners, [area, *of_patient]
    patients: list[str] = []
    while len(patients) < len(masks):
        number = min(int(rng.paretovariate(1.2)), 15)
        patients += [f'patient {len(set(patients))}'] * number
    patients = patients[: len(masks)]
    sites = {patient: rng.choice(SITES) for patient in sorted(set(patients))}
    site = [sites[patient] for patient in patients]
    yield 'grouped masks: volume', patients, [volume]
    yield 'grouped masks: volume, lesions, site', patients, [volume, lesions, site]


def make_random_table(patients: int, labels: int, seed: int) -> Table:
    """Several binary labels that cluster in patients of very different size."""
    rng = random.Random(seed)
    groups: list[str] = []
    columns: Columns = [[] for _ in range(labels)]
    for patient in range(patients):
        rates = [rng.betavariate(0.4, 1.2) for _ in range(labels)]
        for _ in range(min(int(3 * rng.paretovariate(1.1)), 200)):
            groups.append(str(patient))
            for column, rate in zip(columns, rates, strict=True):
                column.append(str(int(rng.random() < rate)))
    return f'random: {patients} patients, {labels} labels', groups, columns


def split_ours(
    groups: list[str], columns: Columns, folds: int, seed: int
) -> np.ndarray:
    """Fold of each row."""
    strata: dict[str, list[tuple[str, ...]]] = {}
    for group, *levels in zip(groups, *columns, strict=True):
        strata.setdefault(group, []).append(tuple(levels))
    fold = split_kfold(strata, num_folds=folds, seed=seed)
    return np.array([fold[group] for group in groups])


def split_sklearn(
    groups: list[str], columns: Columns, folds: int, seed: int
) -> np.ndarray:
    """Fold of each row."""
    label = ['|'.join(levels) for levels in zip(*columns, strict=True)]
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    fold = np.empty(len(groups), int)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # combinations rarer than folds
        for number, (_, val) in enumerate(splitter.split(groups, label, groups)):
            fold[val] = number
    return fold


def measure(fold: np.ndarray, groups: list[str], columns: Columns, folds: int) -> list:
    """Largest and mean deviation in %, combined in rows, ranges of fold sizes."""

    def count(values: list) -> np.ndarray:
        number = {value: i for i, value in enumerate(sorted(set(values)))}
        table = np.zeros((len(number), folds))
        np.add.at(table, ([number[value] for value in values], fold), 1)
        return table

    per_cent = []
    for column in columns:
        table = count(column)
        ideal = table.sum(1, keepdims=True) / folds
        per_cent.append(100 * np.abs(table - ideal) / ideal)
    off = np.concatenate(per_cent)
    cells = count(list(zip(*columns, strict=True)))
    combined = np.abs(cells - cells.mean(1, keepdims=True)).mean()
    owners = Counter(dict(zip(groups, fold.tolist(), strict=True)).values())
    patients = [owners[number] for number in range(folds)]
    rows = np.bincount(fold, minlength=folds)
    return [off.max(), off.mean(), combined, np.ptp(rows), np.ptp(patients)]


def compare(table: Table, folds: int, seeds: int) -> None:
    """Print one line for each method."""
    name, groups, columns = table
    sizes = Counter(groups)
    print(
        f'| {name} ({len(groups)} rows, {len(sizes)} groups, largest '
        f'{max(sizes.values())}) |||||||'
    )
    methods = {'scikit-learn': split_sklearn, 'ours': split_ours}
    results: dict[str, list] = {method: [] for method in methods}
    for seed in range(seeds):
        for method, split in methods.items():
            start = time.process_time()
            fold = split(groups, columns, folds, seed)
            seconds = time.process_time() - start
            results[method].append([*measure(fold, groups, columns, folds), seconds])
    for method, values in results.items():
        worst, mean, combined, rows, patients, seconds = np.mean(values, axis=0)
        print(
            f'| {method} | {worst:.1f} | {mean:.2f} | {combined:.2f} | {rows:.1f} | '
            f'{patients:.1f} | {1000 * seconds:.0f} |'
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seeds', type=int, default=20)
    parser.add_argument('--folds', type=int, default=5)
    args = parser.parse_args()
    beside = Path(__file__).resolve().parents[2] / 'shared' / 'data'
    folder = Path(os.environ.get('MMMED_SAMPLE_DATA', beside)) / 'stroke_masks/lesions'
    print(f'{args.seeds} seeds, {args.folds} folds\n')
    print(
        '| table | largest off % | mean off % | combined | rows | patients | CPU ms |'
    )
    print('|---|---|---|---|---|---|---|')
    if folder.is_dir():
        for table in make_mask_tables(measure_masks(folder)):
            compare(table, args.folds, args.seeds)
    else:
        print('| real masks absent: set MMMED_SAMPLE_DATA to their folder |||||||')
    for patients, labels in ((60, 4), (300, 8), (1500, 6)):
        table = make_random_table(patients, labels, seed=patients)
        compare(table, args.folds, args.seeds)


if __name__ == '__main__':
    main()
