"""What is known of a case beside its labels; not here: scores (``case_scores``)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class CaseGrid:
    """What the row of a structure that occurs nowhere in a case still needs.

    Args:
        shape: (Z, Y, X) in voxels, canonical orientation.
        spacing: (Z, Y, X) in mm.
        affine: Array index to RAS+ mm.
        counted: Voxels that are counted: all that are not ignored.
        slice_counted: The same per slice of the plane; None without a plane.
        is_pred_missing: Whether there was no prediction at all.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    affine: tuple[tuple[float, ...], ...]
    counted: int
    slice_counted: tuple[int, ...] | None
    is_pred_missing: bool

    @property
    def flat_axis(self) -> int | None:
        """Axis of a single slice, which is measured in 2-D; None for a volume."""
        axes = [axis for axis, size in enumerate(self.shape) if size == 1]
        return axes[0] if len(axes) == 1 else None

    @property
    def diagonal_mm(self) -> float:
        """Of the image: no distance in it is greater."""
        axes = [axis for axis in range(3) if axis != self.flat_axis]
        return math.hypot(*(self.shape[a] * self.spacing[a] for a in axes))

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> 'CaseGrid':
        """From what :func:`dataclasses.asdict` and JSON made of it."""
        depth, height, width = fields['shape']
        z, y, x = fields['spacing']
        counted = fields['slice_counted']
        return cls(
            (depth, height, width),
            (z, y, x),
            tuple(map(tuple, fields['affine'])),
            fields['counted'],
            None if counted is None else tuple(counted),
            fields['is_pred_missing'],
        )
