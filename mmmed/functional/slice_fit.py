"""SliceFit: bring a slice to a pixel size in mm and to a fixed size, and back.

Training (``mmmed.FitSlice``) and inference share it. Not here: a fixed size without a
pixel size (``letterbox``, which this builds on), grey values (``slice_window``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from mmmed.functional.letterbox import IGNORE_LABEL, Letterbox

# Logit of what a network was not shown: as good as certainly background.
_CERTAIN = 20.0
# Longest side in pixels; a spacing that asks for more is wrong.
_LONGEST = 16384


@dataclass(frozen=True)
class SliceFit:
    """Geometry of a fitted slice: scaling, then margins that pad or cut.

    Args:
        source: Shape (Y, X) of the slice.
        inner: Shape (Y, X) after scaling.
        margins: Pixels added left, right, top, bottom; negative where pixels are cut.
    """

    source: tuple[int, int]
    inner: tuple[int, int]
    margins: tuple[int, int, int, int]

    @classmethod
    def fit(
        cls,
        source: Sequence[int],
        size: Sequence[int] | None = None,
        *,
        spacing: Sequence[float] | None = None,
        pixel_mm: float | None = None,
    ) -> 'SliceFit':
        """The geometry for a slice.

        Args:
            source: Shape (Y, X).
            size: Shape (Y, X) wanted. With ``pixel_mm`` the slice is padded or cut to
                it about its middle, an odd pixel at the right or bottom; without,
                letterboxed into it. None keeps the shape after scaling.
            spacing: Pixel size (Y, X) in mm; only needed with ``pixel_mm``.
            pixel_mm: Pixel size in mm after scaling, on both axes; None keeps the
                proportions in pixels.

        Raises:
            ValueError: ``pixel_mm`` without a spacing, or one of them not finite and
                > 0, or so far apart that a side would exceed 16384 pixels.
        """
        shape = (int(source[0]), int(source[1]))
        if pixel_mm is None:
            box = Letterbox.fit(shape, None if size is None else (size[0], size[1]))
            return cls(shape, box.inner, box.padding)
        inner = _scale_to(shape, spacing, pixel_mm)
        rows, columns = inner if size is None else (int(size[0]), int(size[1]))
        # Floor, also of negative rooms: the middle stays at the same place.
        top, left = (rows - inner[0]) // 2, (columns - inner[1]) // 2
        margins = (left, columns - inner[1] - left, top, rows - inner[0] - top)
        return cls(shape, inner, margins)

    @property
    def scale(self) -> tuple[float, float]:
        """Pixels after scaling per pixel before, (Y, X)."""
        return self.inner[0] / self.source[0], self.inner[1] / self.source[1]

    @property
    def outer(self) -> tuple[int, int]:
        """Shape (Y, X) in the end."""
        left, right, top, bottom = self.margins
        return self.inner[0] + top + bottom, self.inner[1] + left + right

    def apply_to_img(self, img: NDArray, *, fill: int = 0) -> NDArray:
        """Fit an image: area mean to shrink an axis, bilinear to enlarge it.

        Args:
            img: Shape (Y, X, C), uint8 or float32; any number of channels.
            fill: Value of the margins.

        Returns:
            Shape (*outer, C), same type; ``img`` itself if nothing is to be done.
        """
        # One axis may shrink while the other grows; OpenCV has one method for both.
        middle = (
            min(self.source[0], self.inner[0]),
            min(self.source[1], self.inner[1]),
        )
        img = _resize(img, middle, cv2.INTER_AREA)
        return self._frame(_resize(img, self.inner, cv2.INTER_LINEAR), fill)

    def apply_to_seg(self, seg: NDArray, *, fill: int = IGNORE_LABEL) -> NDArray:
        """Label map, shape (Y, X): the label of the nearest pixel centre."""
        box = Letterbox(self.source, self.inner, (0, 0, 0, 0))
        return self._frame(box.apply_to_seg(seg), fill)

    def restore_logits(self, logits: Tensor) -> Tensor:
        """Logits (N, K, *outer) on the grid of the slice, bilinear.

        What was cut away becomes background, as in :func:`remove_margins`.
        """
        logits = remove_margins(logits, self.margins)
        if self.inner == self.source:
            return logits
        return nn.functional.interpolate(logits, self.source, mode='bilinear')

    def _frame(self, array: NDArray, fill: int) -> NDArray:
        if not any(self.margins):
            return array
        left, right, top, bottom = self.margins
        framed = np.full((*self.outer, *array.shape[2:]), fill, array.dtype)
        rows, columns = self.outer
        inside = framed[
            max(top, 0) : rows - max(bottom, 0), max(left, 0) : columns - max(right, 0)
        ]
        rows, columns = inside.shape[:2]
        first = max(-top, 0), max(-left, 0)
        inside[...] = array[
            first[0] : first[0] + rows, first[1] : first[1] + columns, ...
        ]
        return framed


def remove_margins(logits: Tensor, margins: Sequence[int]) -> Tensor:
    """Logits without the margins that an image was given.

    Args:
        logits: Shape (N, K, Y, X).
        margins: Left, right, top, bottom; where one is negative, pixels were cut
            away, and come back as background: -20 in every channel, and +20 in the
            first of several.
    """
    left, right, top, bottom = margins
    whole = nn.functional.pad(logits, (-left, -right, -top, -bottom), value=-_CERTAIN)
    if logits.shape[1] == 1 or min(margins) >= 0:
        return whole
    first = nn.functional.pad(
        logits[:, :1], (-left, -right, -top, -bottom), value=_CERTAIN
    )
    whole[:, :1] = first
    return whole


def _scale_to(
    shape: tuple[int, int], spacing: Sequence[float] | None, pixel_mm: float
) -> tuple[int, int]:
    """Shape after scaling to square pixels."""
    if spacing is None:
        raise ValueError(
            f'pixel_mm is {pixel_mm}, but the slice has no spacing; give it, or leave '
            'pixel_mm out to fit by pixels'
        )
    sides = [float(pixel_mm), *(float(mm) for mm in spacing)]
    if len(sides) != 3 or not all(0 < mm < np.inf for mm in sides):
        raise ValueError(
            f'pixel_mm {pixel_mm} and spacing {tuple(spacing)}, expected mm > 0, two '
            'of them in spacing'
        )
    rows, columns = (
        max(1, round(n * mm / sides[0])) for n, mm in zip(shape, sides[1:], strict=True)
    )
    if max(rows, columns) > _LONGEST:
        raise ValueError(
            f'{shape} pixels of {tuple(spacing)} mm become {(rows, columns)} of '
            f'{pixel_mm} mm, expected at most {_LONGEST} a side; correct the spacing'
        )
    return rows, columns


def _resize(img: NDArray, shape: tuple[int, int], method: int) -> NDArray:
    if img.shape[:2] == shape:
        return img
    # OpenCV drops a last axis of length one, and some methods take four channels.
    parts = [
        cv2.resize(
            np.ascontiguousarray(img[..., c : c + 4]), shape[::-1], None, 0, 0, method
        )
        for c in range(0, img.shape[2], 4)
    ]
    return np.concatenate([part.reshape(*shape, -1) for part in parts], axis=2)
