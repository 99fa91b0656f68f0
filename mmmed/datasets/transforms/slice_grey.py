"""Random grey values of a slice: blur, contrast, gamma, noise, coil, dropout.

All work in float32 from 0 to 255 without rounding, whatever the type of the image.
Not here: the maths (``mmmed.functional.slice_grey``), 8-bit CT (``intensity``).
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.datasets.transforms.base import DrawnTransform, check_range, draw_uniform
from mmmed.functional.masks import find_box
from mmmed.functional.slice_grey import (
    add_noise,
    bend_grey,
    blur_slice,
    build_bias_field,
    change_contrast,
    change_gamma,
    erase_boxes,
    keep_box,
    multiply_field,
    multiply_noise,
)
from mmmed.registry import TRANSFORMS


class SliceGrey(DrawnTransform):
    """A change of the image alone."""

    @abstractmethod
    def change(self, img: NDArray, **params: Any) -> NDArray[np.float32]:
        """The changed image, a new array."""

    def apply(self, results: dict, params: dict[str, Any]) -> dict:
        """Change the image."""
        results['img'] = self.change(results['img'], **params)
        return results


@TRANSFORMS.register_module()
class RandomBlurSlice(SliceGrey):
    """Mean over a small square.

    Required keys: ``img`` (H, W, C), ``rng``.

    Modified keys: ``img``, float32. Added keys: ``applied``.

    Args:
        limit: Largest side of the square in pixels, odd; sides 3, 5, ... up to it are
            equally likely. 1 changes nothing.
        prob: Probability that it is applied.

    Raises:
        ValueError: ``limit`` is even or < 1.
    """

    def __init__(self, limit: int = 3, prob: float = 1.0) -> None:
        super().__init__(prob)
        if limit < 1 or limit % 2 == 0:
            raise ValueError(f'limit is {limit}, expected an odd number of pixels')
        self.limit = int(limit)

    def draw(self, results: dict, rng: np.random.Generator) -> dict[str, Any]:
        """Side of the square."""
        choices = list(range(3, self.limit + 1, 2)) or [1]
        return {'kernel': choices[int(rng.integers(len(choices)))]}

    def change(self, img: NDArray, **params: Any) -> NDArray[np.float32]:
        """The blurred image."""
        return blur_slice(img, **params)


@TRANSFORMS.register_module()
class RandomContrastSlice(SliceGrey):
    """Contrast and brightness: ``gain * value + 255 * offset``, clipped.

    Required keys: ``img`` (H, W, C), 0 to 255, ``rng``.

    Modified keys: ``img``, float32. Added keys: ``applied``.

    Args:
        contrast: Range of ``gain - 1``.
        brightness: Range of the offset as a share of white.
        prob: Probability that it is applied.

    Raises:
        ValueError: A range is reversed or outside -1 to 1.
    """

    def __init__(
        self,
        contrast: Sequence[float] = (-0.2, 0.2),
        brightness: Sequence[float] = (-0.2, 0.2),
        prob: float = 1.0,
    ) -> None:
        super().__init__(prob)
        self.contrast = check_range('contrast', contrast, low=-1, high=1)
        self.brightness = check_range('brightness', brightness, low=-1, high=1)

    def draw(self, results: dict, rng: np.random.Generator) -> dict[str, Any]:
        """Gain and offset."""
        return {
            'gain': 1 + draw_uniform(rng, *self.contrast),
            'offset': draw_uniform(rng, *self.brightness),
        }

    def change(self, img: NDArray, **params: Any) -> NDArray[np.float32]:
        """The image in another contrast."""
        return change_contrast(img, **params)


@TRANSFORMS.register_module()
class RandomGammaSlice(SliceGrey):
    """Share of white to a power.

    Required keys: ``img`` (H, W, C), 0 to 255, ``rng``.

    Modified keys: ``img``, float32. Added keys: ``applied``.

    Args:
        gamma: Range of the exponent, uniform, > 0.
        prob: Probability that it is applied.

    Raises:
        ValueError: The range is reversed or outside 0.01 to 100.
    """

    def __init__(self, gamma: Sequence[float] = (0.7, 1.5), prob: float = 1.0) -> None:
        super().__init__(prob)
        self.gamma = check_range('gamma', gamma, low=0.01, high=100)

    def draw(self, results: dict, rng: np.random.Generator) -> dict[str, Any]:
        """The exponent."""
        return {'gamma': draw_uniform(rng, *self.gamma)}

    def change(self, img: NDArray, **params: Any) -> NDArray[np.float32]:
        """The image with another gamma."""
        return change_gamma(img, **params)


@TRANSFORMS.register_module()
class RandomCurveSlice(SliceGrey):
    """Grey values along a random curve: other tissues are bright, others alike.

    For networks that shall find an organ whatever the sequence, where images of one
    sequence are few: tissues keep their shape and lose their brightness, as if each had
    been given a random one. Black stays black, and something is white.

    Required keys: ``img`` (H, W, C), 0 to 255, ``rng``.

    Modified keys: ``img``, float32. Added keys: ``applied``.

    Source: in the manner of the nonlinear intensity transformation of Zhou et al.,
    Medical Image Analysis 67:101840, 2021, doi:10.1016/j.media.2020.101840, which draws
    monotone curves.

    Args:
        knots: Grey levels, evenly spaced from 0 to 255 without 0, that get values of
            their own, >= 1; in between the curve is straight.
        prob: Probability that it is applied.

    Raises:
        ValueError: ``knots`` is below 1.
    """

    def __init__(self, knots: int = 4, prob: float = 1.0) -> None:
        super().__init__(prob)
        if knots < 1:
            raise ValueError(f'knots is {knots}, expected >= 1')
        self.knots = int(knots)

    def draw(self, results: dict, rng: np.random.Generator) -> dict[str, Any]:
        """Values at the knots."""
        levels = 1 - rng.random(self.knots)  # never 0
        return {'levels': (255 * levels / levels.max()).tolist()}

    def change(self, img: NDArray, **params: Any) -> NDArray[np.float32]:
        """The image along the curve."""
        return bend_grey(img, **params)


@TRANSFORMS.register_module()
class RandomNoiseSlice(SliceGrey):
    """Normal noise, its own in each pixel and channel.

    Required keys: ``img`` (H, W, C), 0 to 255, ``rng``.

    Modified keys: ``img``, float32. Added keys: ``applied``.

    Args:
        variance: Range of the variance, uniform, in squared grey levels, >= 0.
        prob: Probability that it is applied.

    Raises:
        ValueError: The range is reversed or below 0.
    """

    def __init__(
        self, variance: Sequence[float] = (10.0, 50.0), prob: float = 1.0
    ) -> None:
        super().__init__(prob)
        self.variance = check_range('variance', variance, low=0, high=1e5)

    def draw(self, results: dict, rng: np.random.Generator) -> dict[str, Any]:
        """Standard deviation and seed of the noise."""
        std = draw_uniform(rng, *self.variance) ** 0.5
        return {'std': std, 'noise_seed': int(rng.integers(1 << 62))}

    def change(self, img: NDArray, **params: Any) -> NDArray[np.float32]:
        """The noisy image."""
        rng = np.random.default_rng(params['noise_seed'])
        return add_noise(img, params['std'], rng)


@TRANSFORMS.register_module()
class RandomGainSlice(SliceGrey):
    """Multiplicative noise: one factor for the image, or one for each value.

    Required keys: ``img`` (H, W, C), 0 to 255, ``rng``.

    Modified keys: ``img``, float32. Added keys: ``applied``.

    Args:
        gain: Range of the factors, uniform, >= 0.
        elementwise: Whether each value of each channel has its own.
        prob: Probability that it is applied.

    Raises:
        ValueError: The range is reversed or below 0.
    """

    def __init__(
        self,
        gain: Sequence[float] = (0.85, 1.15),
        elementwise: bool = False,
        prob: float = 1.0,
    ) -> None:
        super().__init__(prob)
        self.gain = check_range('gain', gain, low=0, high=100)
        self.elementwise = elementwise

    def draw(self, results: dict, rng: np.random.Generator) -> dict[str, Any]:
        """Ends of the range of the factors, and the seed of those in between."""
        low, high = self.gain
        if not self.elementwise:
            low = high = draw_uniform(rng, low, high)
        return {'gain': [low, high], 'noise_seed': int(rng.integers(1 << 62))}

    def change(self, img: NDArray, **params: Any) -> NDArray[np.float32]:
        """The image times the factors."""
        low, high = params['gain']
        if low == high:
            return change_contrast(img, low, 0.0)
        rng = np.random.default_rng(params['noise_seed'])
        return multiply_noise(img, low, high, rng)


@TRANSFORMS.register_module()
class RandomBiasSlice(SliceGrey):
    """Uneven sensitivity of a coil: a random polynomial over both axes.

    Required keys: ``img`` (H, W, C), 0 to 255, ``rng``.

    Modified keys: ``img``, float32. Added keys: ``applied``.

    Args:
        coefficients: Range of the size of each coefficient, >= 0; its sign is random.
        order: Highest order of a term, 1 to 8.
        gain: Least and largest sensitivity, which every field reaches; (1, 1) changes
            nothing.
        prob: Probability that it is applied.

    Raises:
        ValueError: A number is outside its limits.

    Source:
        Recipe F of ``slice_recipes``. Differs: signs are random, and the field changes
        along both axes; it is not smoothed, as a polynomial is smooth.
    """

    def __init__(
        self,
        coefficients: Sequence[float] = (0.3, 0.7),
        order: int = 3,
        gain: Sequence[float] = (0.8, 1.2),
        prob: float = 1.0,
    ) -> None:
        super().__init__(prob)
        self.coefficients = check_range('coefficients', coefficients, low=0, high=100)
        self.gain = check_range('gain', gain, low=0, high=100)
        if not 1 <= order <= 8:
            raise ValueError(f'order is {order}, expected 1 to 8')
        self.order = int(order)

    def draw(self, results: dict, rng: np.random.Generator) -> dict[str, Any]:
        """The coefficients, and what the field is scaled to."""
        count = (self.order + 1) * (self.order + 2) // 2
        low, high = self.coefficients
        sizes = low + (high - low) * rng.random(count)
        signs = np.where(rng.random(count) < 0.5, -1, 1)
        return {'coefficients': (sizes * signs).tolist(), 'gain': list(self.gain)}

    def change(self, img: NDArray, **params: Any) -> NDArray[np.float32]:
        """The image as the coil sees it."""
        return multiply_field(img, build_bias_field(img.shape[:2], **params))


@TRANSFORMS.register_module()
class RandomDropoutSlice(SliceGrey):
    """Rectangles of the image erased; label maps stay.

    Required keys: ``img`` (H, W, C), ``rng``.

    Modified keys: ``img``, float32. Added keys: ``applied``.

    Args:
        holes: Least and largest number of rectangles, >= 0.
        size_px: Least and largest side in pixels, >= 1; not more than the slice has.
        fill: Value of erased pixels.
        prob: Probability that it is applied.

    Raises:
        ValueError: A range is reversed or outside its limits.
    """

    def __init__(
        self,
        holes: Sequence[int] = (1, 4),
        size_px: Sequence[int] = (8, 32),
        fill: float = 0.0,
        prob: float = 1.0,
    ) -> None:
        super().__init__(prob)
        self.holes = check_range('holes', holes, low=0, high=1000)
        self.size_px = check_range('size_px', size_px, low=1, high=1e5)
        self.fill = float(fill)

    def draw(self, results: dict, rng: np.random.Generator) -> dict[str, Any]:
        """First row, first column, rows and columns of each rectangle."""
        shape = results['img'].shape[:2]
        fewest, largest = (int(value) for value in self.holes)
        least, most = (int(value) for value in self.size_px)
        boxes = []
        for _ in range(fewest + int(rng.integers(largest - fewest + 1))):
            sides = [min(n, int(rng.integers(least, most + 1))) for n in shape]
            corner = [
                int(rng.integers(n - side + 1))
                for n, side in zip(shape, sides, strict=True)
            ]
            boxes.append([*corner, *sides])
        return {'boxes': boxes, 'fill': self.fill}

    def change(self, img: NDArray, **params: Any) -> NDArray[np.float32]:
        """The image with holes."""
        return erase_boxes(img, **params)


@TRANSFORMS.register_module()
class RandomFieldSlice(SliceGrey):
    """A small field of view: black outside a random rectangle of what is not black.

    For classifiers: where one class was imaged in small fields of view, the size of the
    field would tell the class.

    Required keys: ``img`` (H, W, C), ``rng``.

    Modified keys: ``img``, float32. Added keys: ``applied``.

    Args:
        size_px: Least and largest side of the rectangle in pixels, >= 1; not more than
            the box around everything that is not black.
        prob: Probability that it is applied.

    Raises:
        ValueError: The range is reversed or below 1.
    """

    def __init__(self, size_px: Sequence[int] = (32, 224), prob: float = 1.0) -> None:
        super().__init__(prob)
        self.size_px = check_range('size_px', size_px, low=1, high=1e5)

    def draw(self, results: dict, rng: np.random.Generator) -> dict[str, Any]:
        """First row, first column, rows and columns of the rectangle."""
        img = results['img']
        seen = find_box((img > 0).any(axis=2)) or tuple(
            slice(0, n) for n in img.shape[:2]
        )
        least, most = (int(value) for value in self.size_px)
        sides, corner = [], []
        for side in seen:
            length = min(side.stop - side.start, int(rng.integers(least, most + 1)))
            corner.append(int(rng.integers(side.start, side.stop - length + 1)))
            sides.append(length)
        return {'box': [*corner, *sides]}

    def change(self, img: NDArray, **params: Any) -> NDArray[np.float32]:
        """The image within the rectangle."""
        return keep_box(img, **params)
