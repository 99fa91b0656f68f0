"""Train, validation and test part of every fold, by patient.

A fold tests on its own patients; of the rest, a part validates (which checkpoint is
best, temperature, thresholds), so that nothing is ever chosen on the test part. Not
here: drawing the folds (``splits``), storing them (``mmmed.structures``).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

import numpy as np

from mmmed.preparation.splits import Strata, split_holdout, split_kfold

TRAIN_RATIO = 0.8
ALGORITHMS = ('stratified', 'legacy_random')
# Seeds of a fold's draw are far from those that a user tries one after the other.
_STRIDE = 1_000_003
_MOST_PARTS = 20


def draw_validation(
    strata: Strata,
    folds: Mapping[str, int],
    *,
    num_folds: int,
    seed: int,
    train_ratio: float = TRAIN_RATIO,
) -> dict[str, tuple[int, ...]]:
    """In which folds each patient validates; stratified like the folds themselves.

    Args:
        strata: Strata of each patient that has a fold.
        folds: Fold in which each patient is tested.
        num_folds: Number of folds.
        seed: >= 0.
        train_ratio: Share of those not tested that is trained on, in (0, 1).

    Returns:
        Folds in rising order by patient, in the order of ``folds``; never the
        patient's own.

    Raises:
        ValueError: A fold leaves fewer than two patients, or the ratio is not in
            (0, 1).
    """
    ratio = 1 - Fraction(str(train_ratio))
    places: dict[str, list[int]] = {patient: [] for patient in folds}
    for fold in range(num_folds):
        rest = {p: strata[p] for p, own in folds.items() if own != fold}
        for patient in _hold_out(rest, ratio, seed + _STRIDE * (fold + 1)):
            places[patient].append(fold)
    return {patient: tuple(sorted(found)) for patient, found in places.items()}


def _hold_out(strata: Strata, ratio: Fraction, seed: int) -> Iterable[str]:
    # A hold-out takes its share of the kinds of patients that are frequent, and few of
    # those that are one of a kind: with many targets it holds the typical ones, and
    # what is measured on it is too good. Equal parts have no such side.
    wanted, parts = ratio.as_integer_ratio()
    if parts > min(len(strata), _MOST_PARTS):
        return split_holdout(strata, val_ratio=float(ratio), seed=seed)
    found = split_kfold(strata, num_folds=parts, seed=seed)
    return [patient for patient, part in found.items() if part < wanted]


def split_legacy_random(
    names: Sequence[str],
    *,
    num_folds: int = 5,
    seed: int = 0,
    train_ratio: float = TRAIN_RATIO,
) -> tuple[dict[str, int], dict[str, tuple[int, ...]]]:
    """Folds and validation by plain chance, in the published sizes.

    Args:
        names: Patients (the reference divides lesions, so that a patient can be on
            both sides; with one lesion a patient it is the same).
        num_folds: Number of folds.
        seed: >= 0; the reference has none.
        train_ratio: As published, 0.8.

    Returns:
        Fold in which each is tested, and folds in which each validates.

    Raises:
        ValueError: Fewer names than folds.

    Source:
        RRMediCa, as described: train, val and test of 100 are 64, 16, 20; of 103 65,
        18, 20 and in the last fold 65, 15, 23; of 77 49, 13, 15 and 49, 11, 17.
    """
    total = len(names)
    if not 2 <= num_folds <= total:
        raise ValueError(f'{total} names for {num_folds} folds, expected at least 2')
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0x1E6A]))
    order = [sorted(names)[i] for i in rng.permutation(total)]
    size = total // num_folds
    folds = {name: min(i // size, num_folds - 1) for i, name in enumerate(order)}
    share = Fraction(num_folds - 1, num_folds) * Fraction(str(train_ratio))
    num_train = math.floor(total * share)
    places: dict[str, list[int]] = {name: [] for name in names}
    for fold in range(num_folds):
        rest = sorted(name for name in names if folds[name] != fold)
        for index in rng.permutation(len(rest))[num_train:]:
            places[rest[index]].append(fold)
    return folds, {name: tuple(found) for name, found in places.items()}
