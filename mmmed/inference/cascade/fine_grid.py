"""FineGrid: the slices of a series on the pixels of a network, whole or in part.

Not here: which part (``cord_stage``), the network.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from mmmed.functional.cord_region import Box
from mmmed.functional.slice_fit import SliceFit
from mmmed.inference.cascade.grey import GreyStack
from mmmed.inference.cascade.segmentation_config import SegmentationDescription


class FineGrid:
    """Slices at the pixel size of a network; each is resampled once.

    Args:
        grey: The series.
        description: Of the network: pixel size and intensity.

    Raises:
        ValueError: The spacing of the series asks for an impossible size.
    """

    def __init__(self, grey: GreyStack, description: SegmentationDescription) -> None:
        self.grey = grey
        self.intensity = description.intensity
        self.divisor = description.size_divisor
        spacing = grey.stack.spacing[1:]
        fit = SliceFit.fit(
            grey.stack.img.shape[1:],
            description.size,
            spacing=spacing,
            pixel_mm=description.pixel_mm,
        )
        # The scale counts; margins would only be cut off again.
        self.fit = dataclasses.replace(fit, margins=(0, 0, 0, 0))
        self.shape = self.fit.outer
        self.pixel_mm = spacing[0] / self.fit.scale[0], spacing[1] / self.fit.scale[1]
        self._fine: dict[int, NDArray[np.float32]] = {}

    @property
    def whole(self) -> Box:
        """The box of a whole slice."""
        return 0, self.shape[0], 0, self.shape[1]

    def count_pixels(self, length_mm: float) -> tuple[int, int]:
        """Whole pixels along rows and columns of a length, at least its length."""
        rows, columns = (int(np.ceil(length_mm / mm)) for mm in self.pixel_mm)
        return rows, columns

    def take(self, slices: Sequence[int], box: Box) -> NDArray[np.float32]:
        """A part of some slices.

        Args:
            slices: Numbers in the stack.
            box: Rows and columns.

        Returns:
            Shape (N, H', W'), float32 from 0 to 255.
        """
        missing = [index for index in slices if index not in self._fine]
        if missing:
            for index, plane in zip(
                missing, self.grey.take(missing, self.intensity), strict=True
            ):
                self._fine[index] = self.fit.apply_to_img(plane[..., None])[..., 0]
        top, bottom, left, right = box
        return np.stack([self._fine[i][top:bottom, left:right] for i in slices])

    def take_coarse(self, slices: Sequence[int], factor: float) -> NDArray[np.float32]:
        """Whole slices with pixels that are ``factor`` times as large."""
        rows, columns = (max(1, round(n / factor)) for n in self.shape)
        fit = SliceFit(self.shape, (rows, columns), (0, 0, 0, 0))
        planes = self.take(slices, self.whole)
        return np.stack(
            [fit.apply_to_img(plane[..., None])[..., 0] for plane in planes]
        )

    def restore(self, prob: NDArray, box: Box) -> NDArray[np.float32]:
        """Probabilities of a part of slices on the pixels of the series.

        Args:
            prob: Shape (N, H', W') of the box.
            box: Rows and columns.

        Returns:
            Shape (N, H, W) of the stack, bilinear; 0 outside the box.
        """
        top, bottom, left, right = box
        whole = np.zeros((len(prob), *self.shape), np.float32)
        whole[:, top:bottom, left:right] = prob
        if self.fit.inner == self.fit.source:
            return whole
        fitted: NDArray[np.float32] = self.fit.restore_logits(
            torch.from_numpy(whole)[:, None]
        )[:, 0].numpy()
        return fitted
