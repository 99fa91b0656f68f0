"""Deformations of a slice and its label maps: pose, window, elastic, grid, lens.

What comes from beyond the slice is its mirror image. Not here: the maps themselves
(``mmmed.functional.slice_warps``); flips and an affine map onto black (``spatial``).
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from mmmed.datasets.transforms.base import (
    DrawnTransform,
    check_range,
    draw_log_uniform,
    draw_uniform,
)
from mmmed.datasets.transforms.spatial import build_affine
from mmmed.functional.slice_warps import (
    Map,
    build_affine_map,
    build_crop_map,
    build_elastic_map,
    build_grid_map,
    build_lens_map,
    warp_image,
    warp_labels,
)
from mmmed.registry import TRANSFORMS


class SliceWarp(DrawnTransform):
    """A deformation: image bilinear, label maps nearest.

    ``mmmed.SliceAugmentation`` composes deformations that follow each other and
    resamples once; alone, each resamples at once.
    """

    @abstractmethod
    def build_map(self, shape: tuple[int, int], params: dict[str, Any]) -> Map:
        """Where the values of a result of the same shape (Y, X) lie in the slice."""

    def apply(self, results: dict, params: dict[str, Any]) -> dict:
        """Resample image and label maps by the map."""
        return warp_sample(results, self.build_map(results['img'].shape[:2], params))


def warp_sample(results: dict, source: Map) -> dict:
    """Resample image and label maps; margins are no longer where they were."""
    results['img'] = warp_image(results['img'], source)
    for name in results['seg_fields']:
        results[name] = warp_labels(results[name], source)
    results.pop('img_padding_size', None)
    return results


@TRANSFORMS.register_module()
class RandomPoseSlice(SliceWarp):
    """Turn, magnify and shift about the middle; beyond the border lies the mirror.

    Required keys: ``img`` (H, W, C), ``seg_fields``, ``rng``.

    Modified keys: ``img``, every map named in ``seg_fields``. ``img_padding_size`` no
    longer holds and is removed; ``img_spacing`` stays, as a mean over the draws.

    Added keys: ``applied``.

    Args:
        angle_deg: Largest rotation to either side, in degrees; positive turns
            counter-clockwise on the screen.
        scale: Range of the magnification, log-uniform, > 0.
        shift: Largest shift to either side as a fraction of height and width.
        prob: Probability that it is applied.

    Raises:
        ValueError: A range is reversed or outside its limits.
    """

    def __init__(
        self,
        angle_deg: float = 15.0,
        scale: Sequence[float] = (1.0, 1.0),
        shift: float = 0.0,
        prob: float = 1.0,
    ) -> None:
        super().__init__(prob)
        self.angle_deg = check_range('angle_deg', (0, angle_deg), low=0, high=180)[1]
        self.scale = check_range('scale', scale, low=0.01, high=100)
        self.shift = check_range('shift', (0, shift), low=0, high=1)[1]

    def draw(self, results: dict, rng: np.random.Generator) -> dict[str, Any]:
        """Angle, magnification, and shift (Y, X) in pixels."""
        return {
            'angle_deg': draw_uniform(rng, -self.angle_deg, self.angle_deg),
            'scale': draw_log_uniform(rng, *self.scale),
            'shift': [
                draw_uniform(rng, -self.shift, self.shift) * n
                for n in results['img'].shape[:2]
            ],
        }

    def build_map(self, shape: tuple[int, int], params: dict[str, Any]) -> Map:
        """An affine map."""
        return build_affine_map(shape, build_affine(shape, **params))


@TRANSFORMS.register_module()
class RandomCropResizeSlice(SliceWarp):
    """A random window, enlarged to the size of the slice.

    Required keys: ``img`` (H, W, C), ``seg_fields``, ``rng``.

    Modified keys: ``img``, every map named in ``seg_fields``. ``img_padding_size`` no
    longer holds and is removed; ``img_spacing`` stays, as for other deformations.

    Added keys: ``applied``.

    Args:
        share: Height and width of the window as a share of those of the slice, in
            (0, 1]; 1 changes nothing.
        prob: Probability that it is applied.

    Raises:
        ValueError: The share is outside (0, 1].
    """

    def __init__(self, share: float = 0.9375, prob: float = 1.0) -> None:
        super().__init__(prob)
        if not 0 < share <= 1:
            raise ValueError(f'share is {share}, expected one in (0, 1]')
        self.share = float(share)

    def draw(self, results: dict, rng: np.random.Generator) -> dict[str, Any]:
        """First row and column of the window, and its rows and columns."""
        shape = results['img'].shape[:2]
        size = [max(1, round(self.share * n)) for n in shape]
        corner = [
            int(rng.integers(n - part + 1)) for n, part in zip(shape, size, strict=True)
        ]
        return {'corner': corner, 'size': size}

    def build_map(self, shape: tuple[int, int], params: dict[str, Any]) -> Map:
        """The window over the whole shape."""
        return build_crop_map(shape, **params)


@TRANSFORMS.register_module()
class RandomElasticSlice(SliceWarp):
    """Elastic deformation by smoothed noise.

    Required keys: ``img`` (H, W, C), ``seg_fields``, ``rng``.

    Modified keys: ``img``, every map named in ``seg_fields``; ``img_padding_size`` is
    removed.

    Added keys: ``applied``.

    Args:
        alpha: Displacement in pixels that the smoothed noise is multiplied by, >= 0;
            far larger than what results, which is about ``alpha / (6 sigma)``.
        sigma: Standard deviation of the smoothing in pixels, > 0.
        prob: Probability that it is applied.

    Raises:
        ValueError: A number is outside its limits.
    """

    def __init__(
        self, alpha: float = 300.0, sigma: float = 100.0, prob: float = 1.0
    ) -> None:
        super().__init__(prob)
        self.alpha = check_range('alpha', (0, alpha), low=0, high=1e6)[1]
        self.sigma = check_range('sigma', (0.1, sigma), low=0.1, high=1e6)[1]

    def draw(self, results: dict, rng: np.random.Generator) -> dict[str, Any]:
        """The seed of the noise, and its strength."""
        seed = int(rng.integers(1 << 62))
        return {'alpha': self.alpha, 'sigma': self.sigma, 'noise_seed': seed}

    def build_map(self, shape: tuple[int, int], params: dict[str, Any]) -> Map:
        """The displaced grid."""
        return build_elastic_map(
            shape,
            alpha=params['alpha'],
            sigma=params['sigma'],
            rng=np.random.default_rng(params['noise_seed']),
        )


@TRANSFORMS.register_module()
class RandomGridSlice(SliceWarp):
    """Bands of rows and of columns stretched or squeezed, each by its own factor.

    Required keys: ``img`` (H, W, C), ``seg_fields``, ``rng``.

    Modified keys: ``img``, every map named in ``seg_fields``; ``img_padding_size`` is
    removed.

    Added keys: ``applied``.

    Args:
        steps: Bands along each axis, >= 1.
        limit: Largest deviation of a factor from 1, in [0, 1).
        prob: Probability that it is applied.

    Raises:
        ValueError: A number is outside its limits.
    """

    def __init__(self, steps: int = 5, limit: float = 0.3, prob: float = 1.0) -> None:
        super().__init__(prob)
        if steps < 1 or not 0 <= limit < 1:
            raise ValueError(
                f'steps {steps} and limit {limit}, expected >= 1 and in [0, 1)'
            )
        self.steps = int(steps)
        self.limit = float(limit)

    def draw(self, results: dict, rng: np.random.Generator) -> dict[str, Any]:
        """A factor for each band."""
        factors = 1 + self.limit * (2 * rng.random((2, self.steps)) - 1)
        return {'rows': factors[0].tolist(), 'columns': factors[1].tolist()}

    def build_map(self, shape: tuple[int, int], params: dict[str, Any]) -> Map:
        """The uneven grid."""
        return build_grid_map(shape, **params)


@TRANSFORMS.register_module()
class RandomLensSlice(SliceWarp):
    """Radial distortion, as of a lens.

    Required keys: ``img`` (H, W, C), ``seg_fields``, ``rng``.

    Modified keys: ``img``, every map named in ``seg_fields``; ``img_padding_size`` is
    removed.

    Added keys: ``applied``.

    Args:
        limit: Largest strength to either side, in [0, 1].
        shift_px: Largest shift of the axis of the lens to either side, in pixels.
        prob: Probability that it is applied.

    Raises:
        ValueError: A number is outside its limits.
    """

    def __init__(
        self, limit: float = 0.1, shift_px: float = 0.05, prob: float = 1.0
    ) -> None:
        super().__init__(prob)
        self.limit = check_range('limit', (0, limit), low=0, high=1)[1]
        self.shift_px = check_range('shift_px', (0, shift_px), low=0, high=1e4)[1]

    def draw(self, results: dict, rng: np.random.Generator) -> dict[str, Any]:
        """Strength, and shift (Y, X) of the axis in pixels."""
        return {
            'strength': draw_uniform(rng, -self.limit, self.limit),
            'shift': [draw_uniform(rng, -self.shift_px, self.shift_px) for _ in 'yx'],
        }

    def build_map(self, shape: tuple[int, int], params: dict[str, Any]) -> Map:
        """The distorted grid."""
        return build_lens_map(shape, **params)
