"""Who is trained on and who is validated on: by patient, stratified, seeded.

Not here: what a stratum is (``split_strata``, or each preparer), the search for the
best balance (``split_balance``), storing a split (``mmmed.structures``).
"""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

import numpy as np

from mmmed.preparation.split_balance import Row, balance_kinds, tabulate_kinds

Strata = Mapping[str, str | Sequence[Row]]
"""What each patient counts for: a stratum, where a patient is one row of one column;
else one tuple of levels, one for each column, for each of the patient's rows."""

# Ideal shares of a hold-out are fractions of whole numbers up to this; what is off
# by rounding is far below one row.
_FINEST_SHARE = 1000


def split_holdout(strata: Strata, *, val_ratio: float, seed: int) -> frozenset[str]:
    """Patients of the validation side of a hold-out split.

    Every level of every column gives its share. A level of two or more patients is on
    both sides wherever the number of validation patients allows it, so that a rare
    finding can be both learned and measured.

    Args:
        strata: Stratum or rows of each patient, by patient id.
        val_ratio: Wanted share of rows (of patients, if each is one row), in (0, 1),
            read as the decimal that it prints as. Both sides hold at least one
            patient.
        seed: >= 0. The same seed and patients give the same split everywhere.

    Returns:
        The validation patients; all others are training patients. With one row each,
        their number is exactly the share, rounded half up. With more rows, the number
        of validation rows is off by less than the median patient's rows and half of
        the largest's, except where a side is a single patient.

    Raises:
        ValueError: Fewer than two patients, a patient without rows, rows of different
            lengths, or the ratio is not in (0, 1).
    """
    if not 0 < val_ratio < 1:
        raise ValueError(f'validation ratio is {val_ratio}, expected between 0 and 1')
    if len(strata) < 2:
        raise ValueError(
            f'{len(strata)} patient(s), expected at least 2: one to train on and '
            'one to validate on'
        )
    rows = _read_rows(strata)
    total = sum(map(len, rows.values()))
    ratio = Fraction(str(val_ratio))
    num_val = min(max(math.floor(ratio * total + Fraction(1, 2)), 1), total - 1)
    kinds = _shuffle_kinds(rows, seed)
    if _is_simple(rows):
        numbers = {kind: len(patients) for kind, patients in kinds.items()}
        counts = _apportion(numbers, ratio, num_val)
    else:
        val = min(max(round(ratio * _FINEST_SHARE), 1), _FINEST_SHARE - 1)
        val, both = Fraction(val, _FINEST_SHARE).as_integer_ratio()
        sizes = (num_val, num_val), (total - num_val, total - num_val)
        parts = _search(kinds, (val, both - val), sizes, seed)
        counts = {kind: parts[kind][0] for kind in kinds}
    return frozenset(
        patient
        for kind, patients in kinds.items()
        for patient in patients[: counts[kind]]
    )


def split_kfold(strata: Strata, *, num_folds: int, seed: int) -> dict[str, int]:
    """Cross-validation fold of each patient.

    Args:
        strata: Stratum or rows of each patient, by patient id.
        num_folds: Number of folds, >= 2.
        seed: >= 0. The same seed and patients give the same folds everywhere.

    Returns:
        Fold 0 .. ``num_folds`` - 1 of each patient, in the order of ``strata``; none
        is empty. Where all patients have equally many rows, fold sizes differ by at
        most one patient, and in a single column of one row each so do the parts of
        each stratum. Else the rows of a fold are off the ideal by less than those of
        the largest and the median patient together; without giants, of the median.

    Raises:
        ValueError: Fewer than two folds, fewer patients than folds, a patient without
            rows, or rows of different lengths.
    """
    if num_folds < 2:
        raise ValueError(f'{num_folds} fold(s), expected at least 2')
    if len(strata) < num_folds:
        raise ValueError(
            f'{len(strata)} patient(s) for {num_folds} folds, expected one or more '
            'patients a fold; ask for fewer folds'
        )
    rows = _read_rows(strata)
    kinds = _shuffle_kinds(rows, seed)
    if _is_simple(rows):
        # Dealing like cards, on from one stratum to the next, balances both at once.
        dealt = [patient for patients in kinds.values() for patient in patients]
        folds = {patient: index % num_folds for index, patient in enumerate(dealt)}
    else:
        total = sum(map(len, rows.values()))
        sizes = [(total // num_folds, -(-total // num_folds))] * num_folds
        parts = _search(kinds, [1] * num_folds, sizes, seed)
        folds = {
            patient: fold
            for kind, patients in kinds.items()
            for patient, fold in zip(
                patients, np.repeat(range(num_folds), parts[kind]).tolist(), strict=True
            )
        }
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


Kind = tuple[Row, ...]


def _read_rows(strata: Strata) -> dict[str, Kind]:
    """Sorted rows of each patient: equal for patients that count for the same."""
    rows: dict[str, Kind] = {}
    for patient, value in strata.items():
        kind = [(value,)] if isinstance(value, str) else [tuple(row) for row in value]
        if not kind:
            raise ValueError(f'patient {patient!r} has no rows, expected at least one')
        rows[patient] = tuple(sorted(kind))
    lengths = {len(row) for kind in rows.values() for row in kind}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(
            f'rows of {sorted(lengths)} levels, expected one level for each column '
            'in every row'
        )
    return rows


def _is_simple(rows: Mapping[str, Kind]) -> bool:
    """Whether every patient is one row of one column; no search is needed then."""
    return all(len(kind) == 1 and len(kind[0]) == 1 for kind in rows.values())


def _shuffle_kinds(rows: Mapping[str, Kind], seed: int) -> dict[Kind, list[str]]:
    """Patients by kind, both in an order that only names and seed decide."""
    kinds: dict[Kind, list[str]] = {kind: [] for kind in sorted(set(rows.values()))}
    for patient in sorted(rows):
        kinds[rows[patient]].append(patient)
    for kind, patients in kinds.items():
        simple = len(kind) == 1 and len(kind[0]) == 1
        name = kind[0][0] if simple else json.dumps(kind)
        # Raw output of the bit generator: NumPy keeps it fixed for ever, which it
        # does not promise for Generator.permutation. A stream of its own for each
        # kind keeps a change in one from reshuffling the others.
        entropy = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], 'big')
        stream = np.random.PCG64(np.random.SeedSequence([seed, entropy]))
        keys = stream.random_raw(len(patients))
        patients[:] = [patients[i] for i in np.argsort(keys, kind='stable')]
    return kinds


def _search(
    kinds: Mapping[Kind, Sequence[str]],
    shares: Sequence[int],
    sizes: Sequence[tuple[int, int]],
    seed: int,
) -> dict[Kind, list[int]]:
    """Patients of each kind in each part."""
    numbers = [len(patients) for patients in kinds.values()]
    table = tabulate_kinds(list(kinds), numbers, total_share=sum(shares))
    parts = balance_kinds(table, shares=shares, sizes=sizes, seed=seed)
    return dict(zip(kinds, parts.tolist(), strict=True))


def _apportion(
    sizes: Mapping[Kind, int], ratio: Fraction, total: int
) -> dict[Kind, int]:
    """Whole validation patients a kind: near the quota, summing to ``total``."""
    quota = {kind: ratio * size for kind, size in sizes.items()}
    counts = {
        kind: min(max(math.floor(quota[kind]), 1), size - 1)
        for kind, size in sizes.items()
    }
    while sum(counts.values()) > total:
        # The kind furthest above its quota gives one back, its last one only when
        # none has two.
        taken = [kind for kind in sorted(counts) if counts[kind] > 1]
        taken = taken or [kind for kind in sorted(counts) if counts[kind] > 0]
        counts[min(taken, key=lambda kind: quota[kind] - counts[kind])] -= 1
    while sum(counts.values()) < total:
        # A kind is only used up when none has two patients left.
        open_ = [kind for kind in sorted(counts) if counts[kind] < sizes[kind] - 1]
        open_ = open_ or [kind for kind in sorted(counts) if counts[kind] < sizes[kind]]
        counts[max(open_, key=lambda kind: quota[kind] - counts[kind])] += 1
    return counts
