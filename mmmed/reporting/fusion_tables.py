"""Tables of a fusion folder: each plane before and after, and whole volumes.

Lesion slices and lesion-free ones are kept apart: on the latter an empty prediction is
perfect, so a mean over all slices says mostly how many there are. Not here: making the
folder (``mmmed.inference.fusion_run``), the page (``fusion_report``).
"""

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.overlap import EmptyPolicy, compute_scores
from mmmed.functional.statistics import compute_bootstrap_interval, summarize

FUSED = 'fused'
GROUPS = ('lesion', 'lesion_free', 'all')
SCORES = ('dice', 'precision', 'recall')
# As published: an empty prediction of an empty slice scores 1.
PUBLISHED = EmptyPolicy(both_empty=1.0)
_SEED = 0

Row = dict[str, Any]


@dataclass(frozen=True)
class FusionCase:
    """Counts of one scan that has a reference.

    Args:
        case_id: Its name.
        spacing: Voxel size (Z, Y, X) in mm.
        counts: Voxels tp, fp, fn, tn by plane and for ``'fused'``.
        slices: By plane the counts of its slices, shape (n, 5): reference, before,
            common with it before, after, common after.
    """

    case_id: str
    spacing: tuple[float, float, float]
    counts: Mapping[str, Mapping[str, int]]
    slices: Mapping[str, NDArray[np.int64]]


def read_fusion_folder(folder: str | Path) -> list[FusionCase]:
    """Finished scans with a reference, sorted by name.

    Raises:
        ValueError: A file of it cannot be read; the message names it.
    """
    folder = Path(folder)
    cases = []
    for path in sorted((folder / 'cases').glob('*.json')):
        try:
            report = json.loads(path.read_text())
            if report.get('status') != 'done' or 'counts' not in report:
                continue
            cases.append(
                FusionCase(
                    report['case_id'],
                    tuple(report['spacing']),
                    report['counts'],
                    _read_slices(folder / 'slices' / f'{path.stem}.csv'),
                )
            )
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise ValueError(
                f'{path}: not a report of ours ({error}); make it anew with --overwrite'
            ) from error
    return cases


def compare_slices(cases: Iterable[FusionCase]) -> list[Row]:
    """Scores of slices before and after fusion, on identical slices.

    Means are over subjects of their means over slices; spreads over subjects.

    Returns:
        A row per plane and group of slices. ``lesion``: slices whose reference is not
        empty. ``lesion_free``: the others, of which only the share that is marked
        nevertheless has a meaning. ``all``: as published, an empty prediction of an
        empty slice scores 1; ``all_background_dice`` is what a network gets there
        that never marks anything.
    """
    cases = list(cases)
    planes = dict.fromkeys(plane for case in cases for plane in case.slices)
    return [
        _compare(plane, group, [c.slices[plane] for c in cases if plane in c.slices])
        for plane in planes
        for group in GROUPS
    ]


def list_subject_slices(
    cases: Iterable[FusionCase], plane: str
) -> dict[str, NDArray[np.float64]]:
    """Dice of lesion slices, mean of each subject: before and after fusion."""
    tables = [_select(case.slices[plane], 'lesion') for case in cases]
    return {
        when: np.array(
            [_mean(_score(table, when, EmptyPolicy())['dice']) for table in tables]
        )
        for when in ('before', 'after')
    }


def list_volumes(cases: Iterable[FusionCase]) -> list[Row]:
    """A row per scan and mask: counts and 3-D scores of each plane and the fusion."""
    rows = []
    for case in cases:
        voxel_ml = float(np.prod(case.spacing)) / 1000
        for name, counts in case.counts.items():
            tp, fp, fn = (counts[key] for key in ('tp', 'fp', 'fn'))
            scores = compute_scores([tp, fp, fn, counts['tn']])
            rows.append(
                {
                    'case_id': case.case_id,
                    'mask': name,
                    **{score: float(scores[score]) for score in SCORES},
                    'volume_ml': (tp + fp) * voxel_ml,
                    'reference_ml': (tp + fn) * voxel_ml,
                    'volume_difference_ml': (fp - fn) * voxel_ml,
                    'tp_voxels': tp,
                    'fp_voxels': fp,
                    'fn_voxels': fn,
                }
            )
    return rows


def summarize_volumes(cases: Iterable[FusionCase]) -> list[Row]:
    """A row per mask: 3-D scores over subjects, and what fusion gains.

    ``gain`` is the mean over subjects of the fused Dice minus the mask's own, with a
    95 % bootstrap interval over subjects. Subjects whose reference and mask are empty
    have no Dice and are left out.
    """
    rows = list_volumes(cases)
    names = dict.fromkeys(row['mask'] for row in rows)
    dice = {
        name: np.array([row['dice'] for row in rows if row['mask'] == name])
        for name in names
    }
    summary = []
    for name in names:
        mine = [row for row in rows if row['mask'] == name]
        row: Row = {'mask': name, 'subjects': len(mine)}
        for score in SCORES:
            facts = summarize([one[score] for one in mine])
            row |= {f'{score}_mean': facts.mean, f'{score}_sd': facts.sd}
            row[f'{score}_median'] = facts.median
        row['absolute_volume_difference_ml'] = float(
            np.mean([abs(one['volume_difference_ml']) for one in mine])
        )
        gain = dice[FUSED] - dice[name]
        gain = gain[~np.isnan(gain)]
        interval = compute_bootstrap_interval(gain, rng=np.random.default_rng(_SEED))
        row['gain'] = _mean(gain)
        row['gain_low'], row['gain_high'] = interval.low, interval.high
        summary.append(row)
    return summary


def _read_slices(path: Path) -> dict[str, NDArray[np.int64]]:
    columns = (
        'target_pixels',
        'before_pixels',
        'before_common_pixels',
        'after_pixels',
        'after_common_pixels',
    )
    tables: dict[str, list[list[int]]] = {}
    with open(path, newline='') as stream:
        for row in csv.DictReader(stream):
            tables.setdefault(row['plane'], []).append([int(row[c]) for c in columns])
    return {plane: np.array(rows, np.int64) for plane, rows in tables.items()}


def _compare(plane: str, group: str, tables: list[NDArray[np.int64]]) -> Row:
    chosen = [table for table in (_select(t, group) for t in tables) if len(table)]
    row: Row = {
        'plane': plane,
        'slices': group,
        'subjects': len(chosen),
        'number_of_slices': sum(map(len, chosen)),
    }
    policy = PUBLISHED if group == 'all' else EmptyPolicy()
    for score in SCORES:
        means = {
            when: [_mean(_score(table, when, policy)[score]) for table in chosen]
            for when in ('before', 'after')
        }
        for when, values in means.items():
            # Without lesion these scores are 0 or undefined, whatever is predicted.
            facts = summarize([] if group == 'lesion_free' else values)
            row[f'{score}_{when}'], row[f'{score}_{when}_sd'] = facts.mean, facts.sd
        row[f'{score}_change'] = row[f'{score}_after'] - row[f'{score}_before']
    for when, column in (('before', 1), ('after', 3)):
        shares = [float(np.mean(table[:, column] > 0)) for table in chosen]
        row[f'share_marked_{when}'] = _mean(np.array(shares))
    if group == 'all':
        empty = [float(np.mean(table[:, 0] == 0)) for table in chosen]
        row['all_background_dice'] = _mean(np.array(empty))
    return row


def _select(table: NDArray[np.int64], group: str) -> NDArray[np.int64]:
    has_lesion = table[:, 0] > 0
    return {
        'lesion': table[has_lesion],
        'lesion_free': table[~has_lesion],
        'all': table,
    }[group]


def _score(
    table: NDArray[np.int64], when: str, policy: EmptyPolicy
) -> dict[str, NDArray[np.float64]]:
    """Scores of each slice, shape (n,)."""
    target = table[:, 0]
    pred, common = table[:, 1:3].T if when == 'before' else table[:, 3:5].T
    # True negatives are not stored; none of the scores asks for them.
    counts = np.stack([common, pred - common, target - common, 0 * target], axis=1)
    return compute_scores(counts, policy=policy)


def _mean(values: NDArray[np.float64]) -> float:
    """Mean of what is defined; NaN if nothing is."""
    defined = np.asarray(values, np.float64)
    defined = defined[~np.isnan(defined)]
    return float(defined.mean()) if len(defined) else float('nan')
