"""Slices into the size that a 2-D network was trained on, and its logits back.

The same geometry and the same OpenCV calls as the training pipeline's ``LoadSlice``
(a test holds the two together, bit for bit). Not here: 3-D grids (``scan_grid``).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn


@dataclass(frozen=True)
class SliceFit:
    """Scaling of a slice into a size without changing its proportions.

    Args:
        source: Shape (Y, X) of the slice.
        inner: Shape (Y, X) after scaling.
        outer: Shape (Y, X) after centring on black.
        top: Rows above it; an odd margin has its extra pixel at the end.
        left: Columns before it.
    """

    source: tuple[int, int]
    inner: tuple[int, int]
    outer: tuple[int, int]
    top: int
    left: int

    @classmethod
    def plan(cls, source: tuple[int, int], size: tuple[int, int] | None) -> 'SliceFit':
        """The fit of a slice into a size; None keeps its own."""
        size = size or source
        scale = min(size[0] / source[0], size[1] / source[1])
        height = min(size[0], max(1, round(source[0] * scale)))
        width = min(size[1], max(1, round(source[1] * scale)))
        top, left = (size[0] - height) // 2, (size[1] - width) // 2
        return cls(source, (height, width), size, top, left)

    def apply(self, planes: NDArray) -> NDArray:
        """Fit a slice: area mean to shrink, bilinear to enlarge.

        Args:
            planes: Channels of one slice, (C, Y, X), uint8 or float32.

        Returns:
            Shape (C, *outer), same type.
        """
        if self.inner == self.outer == self.source:
            return planes
        result = np.zeros((len(planes), *self.outer), dtype=planes.dtype)
        inner = self._crop(result)
        if self.inner == self.source:
            inner[...] = planes
            return result
        import cv2

        shrinks = self.inner[0] * self.inner[1] < self.source[0] * self.source[1]
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        for target, plane in zip(inner, planes, strict=True):
            target[...] = cv2.resize(
                np.ascontiguousarray(plane), self.inner[::-1], interpolation=method
            )
        return result

    def restore(self, logits: Tensor, *, align_corners: bool) -> Tensor:
        """Logits (N, K, *outer) on the grid of the slice: margins cut, bilinear."""
        logits = self._crop(logits)
        if self.inner == self.source:
            return logits
        return nn.functional.interpolate(
            logits, self.source, mode='bilinear', align_corners=align_corners
        )

    def _crop(self, array: Any) -> Any:
        rows = slice(self.top, self.top + self.inner[0])
        return array[..., rows, self.left : self.left + self.inner[1]]
