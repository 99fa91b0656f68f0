"""What the user wants of the two partitions of patients, and whether it can be had."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmmed.preparation.findings import InputError
from mmmed.preparation.splits import assert_disjoint, split_holdout, split_kfold


class Partition:
    """Hold-out split and folds of the same patients.

    Args:
        val_ratio: Share of patients to validate, in (0, 1).
        val_patients: Validate exactly these instead; empty for a drawn split.
        num_folds: Cross-validation folds, >= 2.
        seed: Of both, >= 0.

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
    ) -> None:
        if not 0 < val_ratio < 1:
            raise InputError(f'--val-ratio is {val_ratio}, expected between 0 and 1')
        if num_folds < 2:
            raise InputError(f'--folds is {num_folds}, expected 2 or more')
        if seed < 0:
            raise InputError(f'--seed is {seed}, expected 0 or more')
        self.val_ratio = None if val_patients else val_ratio
        self.val_patients = sorted(set(val_patients))
        self.num_folds = num_folds
        self.seed = seed

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

    def assign(self, strata: Mapping[str, str]) -> dict[str, tuple[str, int]]:
        """Side of the hold-out split and fold of each patient.

        Args:
            strata: Stratum of each patient; :meth:`check` has accepted them.
        """
        if self.val_ratio is None:
            val = frozenset(self.val_patients)
        else:
            val = split_holdout(strata, val_ratio=self.val_ratio, seed=self.seed)
        train = strata.keys() - val
        assert_disjoint(val, train)
        folds = split_kfold(strata, num_folds=self.num_folds, seed=self.seed)
        return {p: ('val' if p in val else 'train', folds[p]) for p in strata}

    def to_dict(self) -> dict[str, Any]:
        """The wishes, for the manifest."""
        return {
            'seed': self.seed,
            'val_ratio': self.val_ratio,
            'val_patients': self.val_patients,
            'num_folds': self.num_folds,
        }
