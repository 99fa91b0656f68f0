"""Cascade: a series through gates, cord and lesion segmentation.

Not here: finding and reading series, writing results.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmmed.inference.cascade.settings import CascadeSettings
from mmmed.structures import Volume
from mmmed.structures.stage_record import StageRecord

STAGES = (
    'anatomy',
    'spine_location_view',
    'spine_sequence',
    'spinal_cord',
    'cord_segmentation',
    'lesion_segmentation',
)


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
        """Why the series was rejected; of the last stage that says something."""
        return next((s.reason for s in reversed(self.stages) if s.reason), '')


class Cascade:
    """Loaded stages; :meth:`analyze` takes one series after the other.

    Args:
        settings: What a user may set.
    """

    def __init__(self, settings: CascadeSettings) -> None:
        self.settings = settings

    @classmethod
    def load(
        cls, weights: Path, settings: CascadeSettings, device: str = 'cpu'
    ) -> 'Cascade':
        """Read, check and build the networks of a folder of weights.

        Args:
            weights: Folder with the checkpoints that the settings name.
            settings: What a user may set.
            device: As for torch, e.g. ``'cuda:0'``.

        Raises:
            WeightsError: A required file is absent, refused, damaged, or trained for
                other classes; the message names file and reason.
        """
        raise NotImplementedError

    def analyze(self, volume: Volume) -> CascadeResult:
        """One series through all stages.

        Args:
            volume: One channel, real and finite values.

        Raises:
            ValueError: Several channels, NaN or infinite values, or no contrast.
        """
        raise NotImplementedError
