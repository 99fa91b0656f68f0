"""SliceRecipe: how a slice becomes the input of a slice classifier.

The steps of its test pipeline, repeated on a slice of a series with the functions that
training uses. Not here: intensity of the series (``intensity``), networks.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.slice_fit import SliceFit
from mmmed.functional.slice_window import check_percentiles, window_slice

_LOADING = ('LoadVolumeSlice', 'LoadSlice')
_PACKING = ('PackSliceTargets', 'PackMedInputs', 'PackMedSlices')
_MAX_SIDE = 2048


@dataclass(frozen=True)
class FitStep:
    """See ``mmmed.FitSlice``."""

    size: tuple[int, int] | None
    pixel_mm: float | None

    def __call__(self, img: NDArray, spacing: Sequence[float]) -> NDArray:
        """A fitted slice (H', W', 1)."""
        fit = SliceFit.fit(
            img.shape[:2], self.size, spacing=spacing, pixel_mm=self.pixel_mm
        )
        return fit.apply_to_img(img)


@dataclass(frozen=True)
class WindowStep:
    """See ``mmmed.WindowSlice``."""

    low: float
    high: float
    nonzero: bool

    def __call__(self, img: NDArray, spacing: Sequence[float]) -> NDArray:
        """The slice between its own percentiles, 0 to 255."""
        return window_slice(img, self.low, self.high, nonzero=self.nonzero)


@dataclass(frozen=True)
class SliceRecipe:
    """Steps between loading and packing, in order.

    Args:
        steps: Functions of a slice (H, W, 1) and its spacing (rows, columns).
    """

    steps: tuple[Callable[[NDArray, Sequence[float]], NDArray], ...]

    def apply(self, img: NDArray, spacing: Sequence[float]) -> NDArray[np.float32]:
        """Inputs of slices.

        Args:
            img: Shape (N, H, W), float32 from 0 to 255.
            spacing: Of rows and columns, in mm.

        Returns:
            Shape (N, H', W'), float32 from 0 to 1.

        Raises:
            ValueError: The spacing asks for an impossible size.
        """
        fitted = []
        for plane in img:
            values = np.asarray(plane, np.float32)[..., None]
            for step in self.steps:
                values = step(values, spacing)
            fitted.append(np.asarray(values[..., 0], np.float32))
        return np.stack(fitted) / np.float32(255)


def read_slice_recipe(pipeline: Sequence[Mapping[str, Any]]) -> SliceRecipe:
    """The recipe of a test pipeline.

    Args:
        pipeline: Steps as a checkpoint describes them.

    Raises:
        ValueError: A step cannot be repeated on a slice of a series, slices keep
            their own size, or an argument is impossible.
    """
    steps: list[Any] = []
    for step in pipeline:
        name = str(step.get('type')).rpartition('.')[2]
        if name == 'FitSlice':
            steps.append(_read_fit(step.get('size'), step.get('pixel_mm')))
        elif name == 'WindowSlice':
            low, high = float(step.get('low', 1.0)), float(step.get('high', 99.0))
            check_percentiles(low, high)
            steps.append(WindowStep(low, high, bool(step.get('nonzero', True))))
        elif name in _LOADING:
            if step.get('size') is not None:
                steps.append(_read_fit(step['size'], None))
        elif name not in _PACKING:
            raise ValueError(
                f'its test pipeline has {step.get("type")!r}, which cannot be repeated '
                'on a series; use mmmed.FitSlice and mmmed.WindowSlice'
            )
    if not any(isinstance(step, FitStep) and step.size for step in steps):
        raise ValueError(
            'its test pipeline gives slices no fixed size, expected '
            'mmmed.FitSlice(size=(Y, X))'
        )
    return SliceRecipe(tuple(steps))


def _read_fit(size: Any, pixel_mm: Any) -> FitStep:
    if size is None:
        return FitStep(None, None if pixel_mm is None else float(pixel_mm))
    sides = tuple(int(side) for side in size)
    if len(sides) != 2 or not all(1 <= side <= _MAX_SIDE for side in sides):
        raise ValueError(f'size is {size}, expected (Y, X) of at most {_MAX_SIDE}')
    return FitStep((sides[0], sides[1]), None if pixel_mm is None else float(pixel_mm))
