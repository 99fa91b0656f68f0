"""The published split of RAX-Net, for study: its folds divide slices, not subjects.

Slices that do not fit a fold's quota go to later folds, so that subjects lie in
several folds at once and what is measured on them is too good. Nothing here is used
for training; ``splits`` is. What leaks is counted beside the folds.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmmed.files import write_csv_atomic, write_json_atomic
from mmmed.functional.lesion_strata import STRATUM_EDGES, assign_strata
from mmmed.functional.planes import PLANES
from mmmed.structures import VolumeCase


@dataclass(frozen=True, order=True)
class LesionSlice:
    """One slice with lesion.

    Args:
        subject: Whose it is.
        index: Slice number from 0.
        pixels: Lesion pixels, > 0.
    """

    subject: str
    index: int
    pixels: int


def split_holdout_legacy(
    volumes: Mapping[str, float], *, val_ratio: float = 0.2, seed: int = 0
) -> frozenset[str]:
    """Subjects held out: of each volume stratum the share, halves rounded to even.

    Args:
        volumes: Lesion voxels (of 1 mm3) of each subject.
        val_ratio: Share, 0.2 as published.
        seed: >= 0; the published draw had none.
    """
    rng = np.random.default_rng(seed)
    strata: dict[int, list[str]] = defaultdict(list)
    for subject in sorted(volumes):
        strata[int(assign_strata(volumes[subject], 'volume'))].append(subject)
    held: list[str] = []
    for stratum in sorted(strata):
        members = strata[stratum]
        number = round(val_ratio * len(members))
        held += rng.choice(members, number, replace=False).tolist()
    return frozenset(held)


def split_slices_legacy(
    slices: Sequence[LesionSlice], plane: str, *, num_folds: int = 5, seed: int = 0
) -> list[list[LesionSlice]]:
    """Folds of lesion slices by quotas of each size stratum.

    Args:
        slices: All lesion slices of the training side.
        plane: Decides the strata.
        num_folds: As published, 5.
        seed: >= 0; the published draw had none.

    Returns:
        Slices of each fold; what fits nowhere is left out.

    Source:
        Algorithm of RAX-Net (Mousavi et al. 2025) as described, not its code.
    """
    rng = np.random.default_rng(seed)
    strata = assign_strata([s.pixels for s in slices], plane).tolist()
    totals = Counter(strata)
    quota = {stratum: count // num_folds for stratum, count in totals.items()}
    capacity = sum(quota.values())
    left: dict[tuple[str, int], list[LesionSlice]] = defaultdict(list)
    for slice_, stratum in sorted(zip(slices, strata, strict=True)):
        left[slice_.subject, stratum].append(slice_)
    folds: list[list[LesionSlice]] = [[] for _ in range(num_folds)]
    taken = [Counter[int]() for _ in range(num_folds)]

    def find_open() -> int | None:
        return next((k for k, fold in enumerate(folds) if len(fold) < capacity), None)

    while find_open() is not None:
        for start in sorted(quota):
            while candidates := [k for k in left if k[1] == start and left[k]]:
                # A random slice of the stratum: subjects weigh by their slices.
                weights = np.array([len(left[key]) for key in candidates], float)
                chosen = rng.choice(len(candidates), p=weights / weights.sum())
                subject = candidates[chosen][0]
                for stratum in sorted(quota):
                    fold = find_open()
                    if fold is None:
                        return folds
                    room = quota[stratum] - taken[fold][stratum]
                    waiting = left[subject, stratum]
                    moved, left[subject, stratum] = waiting[:room], waiting[room:]
                    folds[fold] += moved
                    taken[fold][stratum] += len(moved)
                fold = find_open()
                if fold is None or taken[fold][start] >= quota[start]:
                    break
    return folds


def count_leaks(folds: Sequence[Sequence[LesionSlice]], total: int) -> dict[str, Any]:
    """How far the folds are from being independent.

    Args:
        folds: Of :func:`split_slices_legacy`.
        total: Slices there were.

    Returns:
        ``slices`` and ``subjects`` of each fold, ``dropped`` slices,
        ``shared_subjects`` (in more than one fold) and, for each fold,
        ``leaked_share``: slices of it whose subject is in another fold too.
    """
    owners = [{s.subject for s in fold} for fold in folds]
    places = Counter(subject for members in owners for subject in members)
    return {
        'slices': [len(fold) for fold in folds],
        'subjects': [len(members) for members in owners],
        'dropped': total - sum(map(len, folds)),
        'shared_subjects': sum(n > 1 for n in places.values()),
        'leaked_share': [
            sum(places[s.subject] > 1 for s in fold) / len(fold) if fold else None
            for fold in folds
        ],
    }


def write_legacy_split(
    cases: Sequence[VolumeCase],
    out: Path,
    *,
    num_folds: int = 5,
    val_ratio: float = 0.2,
    seed: int = 0,
) -> dict[str, Any]:
    """Write ``{Plane}_Lesion_fold_0{k}.csv``, ``holdout.csv`` and ``leaks.json``.

    Args:
        cases: Of a prepared folder; unlabelled ones are left out.
        out: Folder to write.
        num_folds: Folds.
        val_ratio: Share of subjects held out.
        seed: >= 0.

    Returns:
        Content of ``leaks.json``.
    """
    labelled = [case for case in cases if case.positive]
    volumes = {
        case.case_id: float(case.extra['lesion_volume_mm3']) for case in labelled
    }
    held = split_holdout_legacy(volumes, val_ratio=val_ratio, seed=seed)
    leaks: dict[str, Any] = {
        'held_out': len(held),
        'training': len(labelled) - len(held),
    }
    for plane in PLANES:
        slices = [
            LesionSlice(case.case_id, index, pixels)
            for case in labelled
            if case.case_id not in held
            for index, pixels in enumerate(case.extra['lesion_pixels'][plane])
            if pixels
        ]
        folds = split_slices_legacy(slices, plane, num_folds=num_folds, seed=seed)
        for number, fold in enumerate(folds, 1):
            rows = [
                {'subject_name': s.subject, 'slice': s.index, 'sum_voxel': s.pixels}
                for s in fold
            ]
            name = f'{plane.capitalize()}_Lesion_fold_{number:02d}.csv'
            write_csv_atomic(out / name, rows)
        leaks[plane] = count_leaks(folds, len(slices))
    rows = [{'subject_name': n, 'sum_voxel': volumes[n]} for n in sorted(held)]
    write_csv_atomic(out / 'holdout.csv', rows)
    edges = {name: list(values) for name, values in STRATUM_EDGES.items()}
    value = {'schema_version': 1, 'seed': seed, 'edges': edges, **leaks}
    write_json_atomic(out / 'leaks.json', value)
    return value
