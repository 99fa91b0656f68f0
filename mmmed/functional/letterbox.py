"""Letterbox: fit an image into a fixed size without changing its proportions.

Training (``LoadSlice``) and inference share it, so that a scan is fed as the training
images were. Not here: reading files, random transforms, 3-D grids (``resampling``).
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

IGNORE_LABEL = 255


@dataclass(frozen=True)
class Letterbox:
    """Geometry that fits a grid into another: scaling, then equal margins.

    Args:
        source: Shape (Y, X) of the grid to fit.
        inner: Shape (Y, X) after scaling.
        padding: Margins in the host's order left, right, top, bottom.
    """

    source: tuple[int, int]
    inner: tuple[int, int]
    padding: tuple[int, int, int, int]

    @classmethod
    def fit(cls, source: tuple[int, int], size: tuple[int, int] | None) -> 'Letterbox':
        """Largest scaled copy of ``source`` inside ``size``, centred.

        An odd margin has its extra pixel at the right or at the bottom. None as size
        keeps the grid as it is.
        """
        size = size or source
        scale = min(size[0] / source[0], size[1] / source[1])
        height = min(size[0], max(1, round(source[0] * scale)))
        width = min(size[1], max(1, round(source[1] * scale)))
        top, left = (size[0] - height) // 2, (size[1] - width) // 2
        padding = (left, size[1] - width - left, top, size[0] - height - top)
        return cls(source, (height, width), padding)

    @property
    def scale(self) -> tuple[float, float]:
        """Pixels after scaling per pixel before, (Y, X)."""
        return self.inner[0] / self.source[0], self.inner[1] / self.source[1]

    @property
    def outer(self) -> tuple[int, int]:
        """Shape (Y, X) with margins."""
        left, right, top, bottom = self.padding
        return self.inner[0] + top + bottom, self.inner[1] + left + right

    def apply_to_img(self, img: NDArray, *, fill: int = 0) -> NDArray:
        """Fit an image: area mean to shrink, bilinear to enlarge.

        Args:
            img: Shape (Y, X, C), uint8 or float32.
            fill: Value of the margins.

        Returns:
            Shape (*outer, C), same type.
        """
        scaled = self._resize(img, self._method).reshape(*self.inner, img.shape[2])
        return self._pad(scaled, fill).reshape(*self.outer, img.shape[2])

    def apply_to_planes(self, planes: NDArray) -> NDArray:
        """The same for channels that come first, with margins of 0.

        Args:
            planes: Shape (C, Y, X), uint8 or float32; any number of channels.

        Returns:
            Shape (C, *outer), same type; ``planes`` itself if nothing is to be done.
        """
        if self.inner == self.outer == self.source:
            return planes
        result = np.zeros((len(planes), *self.outer), dtype=planes.dtype)
        for target, plane in zip(self.crop(result), planes, strict=True):
            target[...] = self._resize(np.ascontiguousarray(plane), self._method)
        return result

    def apply_to_seg(self, seg: NDArray, *, fill: int = IGNORE_LABEL) -> NDArray:
        """Label map, shape (Y, X): the label of the nearest pixel centre."""
        # Plain INTER_NEAREST looks from pixel corners and moves labels against the
        # image by up to half a pixel; the exact variant looks from centres.
        return self._pad(self._resize(seg, cv2.INTER_NEAREST_EXACT), fill)

    def restore_logits(self, logits: Tensor, *, align_corners: bool) -> Tensor:
        """Logits (N, K, *outer) on the source grid: margins cut, bilinear."""
        logits = self.crop(logits)
        if self.inner == self.source:
            return logits
        return nn.functional.interpolate(
            logits, self.source, mode='bilinear', align_corners=align_corners
        )

    def crop(self, array: Any) -> Any:
        """View of (..., *outer) without margins, (..., *inner)."""
        left, _, top, _ = self.padding
        return array[..., top : top + self.inner[0], left : left + self.inner[1]]

    @property
    def _method(self) -> int:
        shrinks = self.inner[0] * self.inner[1] < self.source[0] * self.source[1]
        return cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR

    def _resize(self, array: NDArray, method: int) -> NDArray:
        if self.inner == self.source:
            return array
        return cv2.resize(array, self.inner[::-1], interpolation=method)

    def _pad(self, array: NDArray, fill: int) -> NDArray:
        if not any(self.padding):
            return array
        left, right, top, bottom = self.padding
        # A single number fills only the first channel; a tuple fills them all.
        value = (fill,) * 4
        return cv2.copyMakeBorder(
            array, top, bottom, left, right, cv2.BORDER_CONSTANT, value=value
        )
