"""GreyStack: slices of a series on the grey scale of prepared data, when asked for.

Not here: windows of single slices (``slice_recipe``).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmmed.inference.cascade.stack import SliceStack
from mmmed.inference.intensity import FittedIntensity, Intensity

PREPARED = Intensity(
    kind='percentile', percentiles=(1.0, 99.0), over='nonzero', bits=16, whole=False
)
"""How series are prepared for training, where a checkpoint does not say otherwise."""


class GreyStack:
    """Greys of any slices; percentiles of the whole series are found once for a rule.

    Args:
        stack: The series.
    """

    def __init__(self, stack: SliceStack) -> None:
        self.stack = stack
        self._fitted: dict[Intensity, FittedIntensity] = {}

    def take(
        self, slices: Sequence[int] | NDArray, intensity: Intensity = PREPARED
    ) -> NDArray[np.float32]:
        """Greys of some slices.

        Args:
            slices: Numbers in the stack.
            intensity: The rule.

        Returns:
            Shape (N, H, W), float32 from 0 to 255.

        Raises:
            ValueError: The series has no contrast.
        """
        img = self.stack.img
        if intensity not in self._fitted:
            self._fitted[intensity] = FittedIntensity(intensity, img[None])
        index = np.asarray(slices, np.intp)
        grey = self._fitted[intensity].apply(img[index][None])
        return np.asarray(grey[0], np.float32)

    def find_filled(self) -> NDArray[np.intp]:
        """Numbers of slices that hold more than one value."""
        img = self.stack.img
        flat = img.reshape(len(img), -1)
        return np.flatnonzero(flat.max(axis=1) > flat.min(axis=1))
