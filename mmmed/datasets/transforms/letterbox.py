"""Letterbox: fit an image into a fixed size without changing its proportions.

Not here: reading files, random transforms.
"""

from dataclasses import dataclass

import cv2
import numpy as np

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
    def fit(cls, source: tuple[int, int], size: tuple[int, int]) -> 'Letterbox':
        """Largest scaled copy of ``source`` inside ``size``, centred.

        An odd margin has its extra pixel at the right or at the bottom.
        """
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

    def apply_to_img(self, img: np.ndarray, *, fill: int = 0) -> np.ndarray:
        """Image, shape (Y, X, C) uint8: area mean to shrink, bilinear to enlarge."""
        shrinks = self.inner[0] * self.inner[1] < self.source[0] * self.source[1]
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        scaled = self._resize(img, method).reshape(*self.inner, img.shape[2])
        return self._pad(scaled, fill).reshape(*self._outer, img.shape[2])

    def apply_to_seg(self, seg: np.ndarray, *, fill: int = IGNORE_LABEL) -> np.ndarray:
        """Label map, shape (Y, X): the label of the nearest pixel centre."""
        # Plain INTER_NEAREST looks from pixel corners and moves labels against the
        # image by up to half a pixel; the exact variant looks from centres.
        return self._pad(self._resize(seg, cv2.INTER_NEAREST_EXACT), fill)

    @property
    def _outer(self) -> tuple[int, int]:
        left, right, top, bottom = self.padding
        return self.inner[0] + top + bottom, self.inner[1] + left + right

    def _resize(self, array: np.ndarray, method: int) -> np.ndarray:
        if self.inner == self.source:
            return array
        return cv2.resize(array, self.inner[::-1], interpolation=method)

    def _pad(self, array: np.ndarray, fill: int) -> np.ndarray:
        if not any(self.padding):
            return array
        left, right, top, bottom = self.padding
        # A single number fills only the first channel; a tuple fills them all.
        value = (fill,) * 4
        return cv2.copyMakeBorder(
            array, top, bottom, left, right, cv2.BORDER_CONSTANT, value=value
        )
