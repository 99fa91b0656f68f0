"""CascadeResult: what the stages of a cascade found in one series."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmmed.structures.stage_record import StageRecord


@dataclass(frozen=True, eq=False)
class CascadeResult:
    """What the stages found in one series.

    Args:
        status: ``'accepted'``: masks were made; ``'rejected'``: a stage ended the
            analysis, and its record says why.
        stages: Records of the stages that ran, in order.
        cord_mask: 0 and 1, (Z, Y, X) on the array grid of the series; None if
            rejected.
        lesion_mask: Likewise.
        confidence: Probability of lesion, 0 to 1, likewise; 0 where the network did
            not look.
        warnings: Sentences for the reader of the result.
        plane: Plane of the slices that the stages looked at.
        cord_slices: Numbers of the slices that the slice gate kept, along the axis of
            the series' own array that ``slice_axis`` names.
        slice_axis: Axis, 0 to 2, of the series' array along which slices are counted.
    """

    status: str
    stages: tuple[StageRecord, ...]
    cord_mask: NDArray[np.uint8] | None
    lesion_mask: NDArray[np.uint8] | None
    confidence: NDArray[np.float32] | None
    warnings: tuple[str, ...] = ()
    plane: str = ''
    cord_slices: tuple[int, ...] = ()
    slice_axis: int = 0

    @property
    def reason(self) -> str:
        """Why the series was rejected; empty if it was not."""
        if self.status != 'rejected':
            return ''
        return f'{self.stages[-1].name}: {self.stages[-1].reason}'
