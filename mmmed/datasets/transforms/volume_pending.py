"""What has been drawn for a volume but not yet been applied.

Between drawing and applying lies the reading of the box that a warp needs, and, where
the training device does the work, the way there. Not here: the maths
(``mmmed.functional.volume_warp``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.volume_warp import VolumeWarp, build_matrix, draw_control


class PendingWarp(NamedTuple):
    """A warp from the arrays at hand to the patch that is wanted.

    Attributes:
        warp: Where the patch lies in ``img``.
        size: (Z, Y, X) of the patch.
    """

    warp: VolumeWarp
    size: tuple[int, int, int]


@dataclass(frozen=True)
class DrawnWarp:
    """Numbers of a random warp, drawn before anything is read.

    Args:
        angles_deg: About Z, Y, X.
        scale: Along Z, Y, X.
        elastic_mm: Standard deviation of the deformation; 0 for none.
        elastic_cell_mm: Its smoothness.
        elastic_seed: Of its control points.
    """

    angles_deg: tuple[float, float, float]
    scale: tuple[float, float, float]
    elastic_mm: float
    elastic_cell_mm: float
    elastic_seed: int

    def build(
        self,
        size: Sequence[int],
        spacing: Sequence[float],
        patch_spacing: Sequence[float],
        center: Sequence[float],
    ) -> VolumeWarp:
        """The warp of a patch.

        Args:
            size: (Z, Y, X) of the patch.
            spacing: Of the source in mm.
            patch_spacing: Of the patch in mm.
            center: Its middle in indices of the source.
        """
        matrix = build_matrix(self.angles_deg, self.scale, spacing, patch_spacing)
        if self.elastic_mm == 0:
            return make_warp(matrix, center)
        control, cell = draw_control(
            self.elastic_seed,
            size,
            patch_spacing,
            std_mm=self.elastic_mm,
            cell_mm=self.elastic_cell_mm,
        )
        # Drawn in voxels of the patch; displacements count in those of the source.
        ratio = np.asarray(patch_spacing, float) / np.asarray(spacing, float)
        return make_warp(matrix, center, control * ratio[:, None, None, None], cell)


def make_warp(
    matrix: NDArray,
    center: Sequence[float],
    control: NDArray | None = None,
    cell: Sequence[float] = (1.0, 1.0, 1.0),
) -> VolumeWarp:
    """A warp from sequences."""
    z, y, x = (float(value) for value in center)
    a, b, c = (float(value) for value in cell)
    return VolumeWarp(np.asarray(matrix, np.float64), (z, y, x), control, (a, b, c))


def has_pending(results: dict[str, Any]) -> bool:
    """Whether arrays are not yet what the network will see."""
    return 'pending_warp' in results or 'drawn_warp' in results
