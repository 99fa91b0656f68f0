"""What decides the scores of a case: labels, tolerance, policy, matching rule.

Not here: scoring (``case_scores``), what only the summary needs (``score_summary``).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from mmmed.functional.components import CONNECTIVITIES
from mmmed.functional.lesions import Criterion
from mmmed.functional.organ_rule import OrganRule
from mmmed.functional.overlap import DEFAULT_POLICY, EmptyPolicy
from mmmed.functional.planes import PLANES

# Larger numbers are no labels; they would make tables of that length.
MAX_LABEL = 65535


@dataclass(frozen=True)
class ScoreOptions:
    """How one pair of label maps is scored.

    Args:
        labels: Values that make up each structure, by its name; several values are
            one structure. None takes every value that occurs, named by its number.
        tolerance_mm: Of the surface Dice, >= 0.
        policy: Value of a score where a structure is empty.
        connectivity: Neighbours of a voxel in a lesion: 6, 18 or 26.
        criterion: How lesions are matched, see
            :func:`mmmed.functional.lesions.match_lesions`.
        min_iou: Smallest IoU of a pair of lesions, for the one-to-one criteria.
        plane: Also score each slice of ``'axial'``, ``'coronal'`` or ``'sagittal'``.
        ignore_label: Value of the reference whose voxels are not counted at all.
        keep_near: Post-processing of predictions, see
            :class:`mmmed.functional.organ_rule.OrganRule`; the reference is never
            changed.

    Raises:
        ValueError: A value is out of its range, a structure has no label, or
            ``keep_near`` names one that ``labels`` does not.
    """

    labels: Mapping[str, tuple[int, ...]] | None = None
    tolerance_mm: float = 2.0
    policy: EmptyPolicy = field(default_factory=lambda: DEFAULT_POLICY)
    connectivity: int = 6
    criterion: Criterion = 'overlap'
    min_iou: float = 0.5
    plane: str | None = None
    ignore_label: int | None = None
    keep_near: OrganRule | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.tolerance_mm < math.inf:
            raise ValueError(
                f'tolerance is {self.tolerance_mm} mm, expected a length >= 0'
            )
        if self.connectivity not in CONNECTIVITIES[3]:
            raise ValueError(
                f'connectivity is {self.connectivity}, expected one of '
                f'{sorted(CONNECTIVITIES[3])}'
            )
        if self.criterion not in get_args(Criterion) or not 0 < self.min_iou <= 1:
            raise ValueError(
                f'criterion is {self.criterion!r} and min_iou {self.min_iou}, expected '
                f'one of {", ".join(get_args(Criterion))} and a share in (0, 1]'
            )
        if self.plane is not None and self.plane not in PLANES:
            raise ValueError(
                f'no plane {self.plane!r}, expected one of {", ".join(PLANES)}'
            )
        for name, values in (self.labels or {}).items():
            _check_label(name, values, self.ignore_label)
        if self.keep_near is not None:
            self.keep_near.check((self.labels or {}).keys())

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        named = None
        if self.labels is not None:
            named = {name: list(values) for name, values in self.labels.items()}
        options: dict[str, Any] = {
            'labels': named,
            'tolerance_mm': self.tolerance_mm,
            'empty_policy': self.policy.as_dict(),
            'connectivity': self.connectivity,
            'criterion': self.criterion,
            'min_iou': self.min_iou,
            'plane': self.plane,
            'ignore_label': self.ignore_label,
        }
        if self.keep_near is not None:  # without it, results are those of old
            options['keep_near'] = self.keep_near.as_list()
        return options


def parse_labels(texts: Sequence[str]) -> dict[str, tuple[int, ...]] | None:
    """Structures of a command line: ``liver=1``, or ``liver=1,2`` for a union.

    Returns:
        Label values by name; None if nothing is given.

    Raises:
        ValueError: Not of that form, or a name is given twice.
    """
    labels: dict[str, tuple[int, ...]] = {}
    for text in texts:
        name, _, numbers = text.partition('=')
        name = name.strip()
        try:
            values = tuple(int(number) for number in numbers.split(','))
        except ValueError:
            values = ()
        if not name or not values or name in labels:
            raise ValueError(
                f'label {text!r}, expected NAME=VALUE or NAME=VALUE,VALUE with each '
                'name once, such as liver=1 tumor=2'
            )
        labels[name] = values
    return labels or None


def _check_label(name: str, values: Sequence[int], ignored: int | None) -> None:
    right = [value for value in values if 1 <= value <= MAX_LABEL and value != ignored]
    if not values or len(set(right)) != len(values):
        raise ValueError(
            f'label {name!r} has values {list(values)}, expected different numbers '
            f'from 1 to {MAX_LABEL} that are not ignored'
        )
