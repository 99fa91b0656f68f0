"""Who is trained on and who is validated on: by patient, stratified, seeded.

Not here: what a stratum is (each preparer decides) or storing a split
(``mmmed.structures.manifest``).
"""

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np


def split_holdout(
    strata: Mapping[str, str], *, val_ratio: float, seed: int
) -> frozenset[str]:
    """Patients of the validation side of a hold-out split.

    Every stratum gives its share, rounded so that the sides have the wanted sizes.
    A stratum of two or more patients is on both sides wherever the number of
    validation patients allows it, so that a rare finding can be both learned and
    measured.

    Args:
        strata: Stratum of each patient, by patient id.
        val_ratio: Wanted share of patients, in (0, 1); at least one patient is
            validated and one is trained on.
        seed: >= 0. The same seed and patients give the same split everywhere.

    Returns:
        The validation patients; all others are training patients.

    Raises:
        ValueError: Fewer than two patients, or the ratio is not in (0, 1).
    """
    if not 0 < val_ratio < 1:
        raise ValueError(f'validation ratio is {val_ratio}, expected between 0 and 1')
    if len(strata) < 2:
        raise ValueError(
            f'{len(strata)} patient(s), expected at least 2: one to train on and '
            'one to validate on'
        )
    num_val = min(max(math.floor(val_ratio * len(strata) + 0.5), 1), len(strata) - 1)
    counts = _apportion(Counter(strata.values()), val_ratio, num_val)
    return frozenset(
        patient
        for stratum, patients in _shuffle(strata, seed).items()
        for patient in patients[: counts[stratum]]
    )


def split_kfold(
    strata: Mapping[str, str], *, num_folds: int, seed: int
) -> dict[str, int]:
    """Cross-validation fold of each patient.

    Args:
        strata: Stratum of each patient, by patient id.
        num_folds: Number of folds, >= 2.
        seed: >= 0. The same seed and patients give the same folds everywhere.

    Returns:
        Fold 0 .. ``num_folds`` - 1 of each patient, in the order of ``strata``. Fold
        sizes differ by at most one, and so do the parts of each stratum.

    Raises:
        ValueError: Fewer than two folds, or fewer patients than folds.
    """
    if num_folds < 2:
        raise ValueError(f'{num_folds} fold(s), expected at least 2')
    if len(strata) < num_folds:
        raise ValueError(
            f'{len(strata)} patient(s) for {num_folds} folds, expected one or more '
            'patients a fold; ask for fewer folds'
        )
    # Dealing like cards, on from one stratum to the next, balances both at once.
    dealt = [p for patients in _shuffle(strata, seed).values() for p in patients]
    folds = {patient: index % num_folds for index, patient in enumerate(dealt)}
    return {patient: folds[patient] for patient in strata}


def assert_disjoint(*sides: Iterable[str]) -> None:
    """Refuse patients that are on more than one side.

    Raises:
        ValueError: Names up to five of them.
    """
    counts = Counter(patient for side in sides for patient in set(side))
    shared = sorted(patient for patient, count in counts.items() if count > 1)
    if shared:
        raise ValueError(
            f'{len(shared)} patient(s) on more than one side of the split '
            f'({", ".join(shared[:5])}), expected each on one'
        )


def _shuffle(strata: Mapping[str, str], seed: int) -> dict[str, list[str]]:
    """Patients by stratum, both in an order that only names and seed decide."""
    groups: dict[str, list[str]] = {
        stratum: [] for stratum in sorted(set(strata.values()))
    }
    for patient in sorted(strata):
        groups[strata[patient]].append(patient)
    for stratum, patients in groups.items():
        # Raw output of the bit generator: NumPy keeps it fixed for ever, which it
        # does not promise for Generator.permutation. A stream of its own for each
        # stratum keeps a change in one from reshuffling the others.
        name = int.from_bytes(hashlib.sha256(stratum.encode()).digest()[:8], 'big')
        stream = np.random.PCG64(np.random.SeedSequence([seed, name]))
        keys = stream.random_raw(len(patients))
        patients[:] = [patients[i] for i in np.argsort(keys, kind='stable')]
    return groups


def _apportion(sizes: Mapping[str, int], ratio: float, total: int) -> dict[str, int]:
    """Whole validation patients a stratum: near the quota, summing to ``total``."""
    quota = {stratum: ratio * size for stratum, size in sizes.items()}
    counts = {
        stratum: min(max(math.floor(quota[stratum]), 1), size - 1)
        for stratum, size in sizes.items()
    }
    while sum(counts.values()) > total:
        # The stratum furthest above its quota gives one back, its last one only when
        # none has two.
        taken = [s for s in sorted(counts) if counts[s] > 1]
        taken = taken or [s for s in sorted(counts) if counts[s] > 0]
        counts[min(taken, key=lambda s: quota[s] - counts[s])] -= 1
    while sum(counts.values()) < total:
        # A stratum is only used up when none has two patients left.
        open_ = [s for s in sorted(counts) if counts[s] < sizes[s] - 1]
        open_ = open_ or [s for s in sorted(counts) if counts[s] < sizes[s]]
        counts[max(open_, key=lambda s: quota[s] - counts[s])] += 1
    return counts
