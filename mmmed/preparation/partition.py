"""What the user wants of the two partitions of patients, and whether it can be had."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmmed.preparation.findings import InputError
from mmmed.preparation.given_folds import GivenFolds
from mmmed.preparation.splits import (
    Strata,
    assert_disjoint,
    split_holdout,
    split_kfold,
)
from mmmed.structures.manifest_rules import FOLDS_ON


class Partition:
    """Hold-out split and folds of the same patients.

    Args:
        val_ratio: Share of patients to validate, in (0, 1).
        val_patients: Validate exactly these instead; empty for a drawn split.
        num_folds: Cross-validation folds, >= 2.
        seed: Of both, >= 0.
        folds_on: ``'all'`` patients are in a fold, or only those on the ``'train'``
            side of the hold-out split.

    Raises:
        InputError: An argument is out of range.
    """

    def __init__(
        self,
        *,
        val_ratio: float,
        val_patients: Sequence[str],
        num_folds: int,
        seed: int,
        folds_on: str = 'all',
    ) -> None:
        if not 0 < val_ratio < 1:
            raise InputError(f'--val-ratio is {val_ratio}, expected between 0 and 1')
        if num_folds < 2:
            raise InputError(f'--folds is {num_folds}, expected 2 or more')
        if seed < 0:
            raise InputError(f'--seed is {seed}, expected 0 or more')
        self.val_ratio = None if val_patients else val_ratio
        self.val_patients = sorted(set(val_patients))
        if folds_on not in FOLDS_ON:
            raise InputError(f'--folds-on is {folds_on!r}, expected one of {FOLDS_ON}')
        self.given: GivenFolds | None = None
        self.num_folds = num_folds
        self.folds_on = folds_on
        self.seed = seed

    def take_folds(self, given: GivenFolds) -> None:
        """Use published folds, which place everybody; the hold-out is still drawn."""
        self.given = given
        self.num_folds, self.folds_on = given.num_folds, 'all'

    def take_holdout(self, patients: set[str]) -> None:
        """Validate exactly these patients; the folds are still drawn."""
        self.val_ratio, self.val_patients = None, sorted(patients)

    def check(self, patients: set[str], raw: Path) -> None:
        """Whether these patients are enough.

        Raises:
            InputError: Too few for the folds, or the wished ones are not among them.
        """
        if len(patients) < self.num_folds:
            raise InputError(
                f'{raw}: {len(patients)} usable patient(s) for {self.num_folds} folds; '
                f'use --folds {max(len(patients), 2)} or fewer, or add patients'
            )
        unknown = sorted(set(self.val_patients) - patients)
        if unknown:
            raise InputError(
                f'--val-patients {" ".join(unknown)}: no usable slices in {raw}; '
                f'choose from {" ".join(sorted(patients)[:90])}'
            )
        if patients <= set(self.val_patients):
            raise InputError(
                '--val-patients names all patients; leave some to train on'
            )
        if self.given:
            self.given.check(patients)
        elif self.folds_on == 'train':
            left = len(patients) - self._count_val(len(patients))
            if left < self.num_folds:
                raise InputError(
                    f'{raw}: {left} patient(s) on the training side for '
                    f'{self.num_folds} folds; use --folds {max(left, 2)} or fewer, or '
                    '--folds-on all'
                )

    def _count_val(self, patients: int) -> int:
        if self.val_ratio is None:
            return len(self.val_patients)
        return max(1, round(self.val_ratio * patients))

    def assign(self, strata: Strata) -> dict[str, tuple[str, int | None]]:
        """Side of the hold-out split and fold of each patient.

        Args:
            strata: Strata of each patient; :meth:`check` has accepted them.

        Returns:
            ``'train'`` or ``'val'``, and the fold; None where it has none.
        """
        if self.val_ratio is None:
            val = frozenset(self.val_patients)
        else:
            val = split_holdout(strata, val_ratio=self.val_ratio, seed=self.seed)
        train = strata.keys() - val
        assert_disjoint(val, train)
        if self.given:
            folds = dict(self.given.folds)
        else:
            divided = {
                patient: value
                for patient, value in strata.items()
                if self.folds_on == 'all' or patient in train
            }
            folds = split_kfold(divided, num_folds=self.num_folds, seed=self.seed)
        return {p: ('val' if p in val else 'train', folds.get(p)) for p in strata}

    def to_dict(self) -> dict[str, Any]:
        """The wishes, for the manifest."""
        wishes: dict[str, Any] = {
            'seed': self.seed,
            'val_ratio': self.val_ratio,
            'val_patients': self.val_patients,
            'num_folds': self.num_folds,
        }
        if self.folds_on != 'all':
            wishes['folds_on'] = self.folds_on
        if self.given:
            wishes['split_file'] = self.given.to_dict()
        return wishes
