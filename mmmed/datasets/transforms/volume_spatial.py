"""Random geometry of volumes: mirrors, and one warp of everything else.

Not here: the maths (``mmmed.functional.volume_warp``), where patches lie
(``volume_loading``).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform

from mmmed.datasets.transforms.base import (
    DrawnTransform,
    check_range,
    draw_log_uniform,
    draw_uniform,
)
from mmmed.datasets.transforms.volume_pending import DrawnWarp, PendingWarp
from mmmed.functional.volume_warp import warp_volumes
from mmmed.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomAffineVolume(DrawnTransform):
    """Random rotation, scaling and elastic deformation, resampled once.

    Angles and lengths are real: voxels of 5 x 1 x 1 mm stay rigid when they turn.
    Placed before ``mmmed.LoadVolumePatch`` it only draws, and the box is read that the
    patch needs; placed after loading it warps what is there, about its centre.

    Required keys: ``rng``; ``img`` and ``img_spacing`` after loading.

    Modified keys: after loading ``img``, ``gt_seg_map``, ``inside`` (all).

    Added keys: ``applied``; before loading ``drawn_warp``.

    Args:
        angle_deg: Largest angle, one for all axes or (about Z, about Y, about X), 0
            to 180. Voxels much longer along Z are best turned about Z only.
        scale: Range of the magnification, log-uniform, > 0.
        is_isotropic: One magnification for all axes, or one each.
        elastic_mm: Range of the standard deviation of the deformation along each
            axis, uniform, in mm.
        elastic_cell_mm: Distance of its control points, in mm; shorter is rougher.
            ``elastic_mm`` should stay below a tenth of it, so that nothing folds.
        rotate_prob: Probability of the rotation.
        scale_prob: Probability of the scaling.
        elastic_prob: Probability of the deformation.
        prob: Probability that any of it is applied.

    Raises:
        ValueError: A range is reversed or outside its limits.
    """

    def __init__(
        self,
        angle_deg: float | Sequence[float] = 30.0,
        scale: Sequence[float] = (0.7, 1.4),
        is_isotropic: bool = True,
        elastic_mm: Sequence[float] = (0.0, 2.0),
        elastic_cell_mm: float = 32.0,
        rotate_prob: float = 0.2,
        scale_prob: float = 0.2,
        elastic_prob: float = 0.0,
        prob: float = 1.0,
    ) -> None:
        super().__init__(prob)
        angles = [angle_deg] * 3 if isinstance(angle_deg, int | float) else angle_deg
        if len(angles) != 3 or not all(0 <= angle <= 180 for angle in angles):
            raise ValueError(f'angle_deg is {angle_deg}, expected one or three, 0..180')
        if not elastic_cell_mm > 0:
            raise ValueError(f'elastic_cell_mm is {elastic_cell_mm}, expected > 0')
        for name, value in (
            ('rotate_prob', rotate_prob),
            ('scale_prob', scale_prob),
            ('elastic_prob', elastic_prob),
        ):
            if not 0 <= value <= 1:
                raise ValueError(f'{name} is {value}, expected a probability')
        self.angle_deg = tuple(float(angle) for angle in angles)
        self.scale = check_range('scale', scale, low=0.01, high=100)
        self.is_isotropic = is_isotropic
        self.elastic_mm = check_range('elastic_mm', elastic_mm, low=0, high=1000)
        self.elastic_cell_mm = float(elastic_cell_mm)
        self.rotate_prob = rotate_prob
        self.scale_prob = scale_prob
        self.elastic_prob = elastic_prob

    def draw(self, results: dict, rng: np.random.Generator) -> dict[str, Any]:
        """Angles, magnifications, and strength and seed of the deformation."""
        # Always as many numbers, so that one probability does not shift the others.
        turns, zooms, bends = (float(number) for number in rng.random(3))
        angles = [draw_uniform(rng, -angle, angle) for angle in self.angle_deg]
        scale = [draw_log_uniform(rng, *self.scale) for _ in range(3)]
        if self.is_isotropic:
            scale = scale[:1] * 3
        elastic = draw_uniform(rng, *self.elastic_mm)
        return {
            'angles_deg': angles if turns < self.rotate_prob else [0.0] * 3,
            'scale': scale if zooms < self.scale_prob else [1.0] * 3,
            'elastic_mm': elastic if bends < self.elastic_prob else 0.0,
            'elastic_cell_mm': self.elastic_cell_mm,
            'elastic_seed': int(rng.integers(2**32)),
        }

    def apply(self, results: dict, params: dict[str, Any]) -> dict:
        """Keep the warp for the loader, or warp what is loaded."""
        drawn = DrawnWarp(
            tuple(params['angles_deg']),
            tuple(params['scale']),
            params['elastic_mm'],
            params['elastic_cell_mm'],
            params['elastic_seed'],
        )
        if 'img' not in results:
            results['drawn_warp'] = drawn
            return results
        if 'pending_warp' in results:
            raise ValueError(
                'a warp is pending already; put RandomAffineVolume before '
                'LoadVolumePatch, so that both are one resampling'
            )
        size = tuple(results['img'].shape[1:])
        spacing = results['img_spacing']
        center = [(n - 1) / 2 for n in size]
        warp = drawn.build(size, spacing, spacing, center)
        return apply_warp(results, PendingWarp(warp, size))


@TRANSFORMS.register_module()
class WarpVolume(BaseTransform):
    """Apply the pending warp here, on the CPU of the worker.

    Leave it out, and ``mmmed.VolumeDataPreprocessor`` does the same for the whole
    batch on the training device.

    Required keys: ``img``, ``seg_fields``. Used if present: ``pending_warp``, which
    is removed; without one nothing happens.

    Modified keys: ``img``, every map named in ``seg_fields``, ``inside`` (all).
    """

    def transform(self, results: dict) -> dict:
        """Warp one sample; the host calls this."""
        pending = results.pop('pending_warp', None)
        return results if pending is None else apply_warp(results, pending)

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'


@TRANSFORMS.register_module()
class RandomFlipVolume(DrawnTransform):
    """Mirror a volume along random axes, exactly.

    Before a pending warp it mirrors what the warp will read, and the warp with it.

    Required keys: ``img`` (C, Z, Y, X), ``seg_fields``, ``rng``.

    Modified keys: ``img``, every map named in ``seg_fields``, ``inside``,
    ``pending_warp``. Added keys: ``applied``.

    Args:
        axes: Axes that may be mirrored: ``'Z'``, ``'Y'``, ``'X'``; in prepared volumes
            X has left and right.
        axis_prob: Probability of each of them.
        prob: Probability that any is mirrored.

    Raises:
        ValueError: No such axis, or a probability is outside [0, 1].
    """

    def __init__(
        self,
        axes: Sequence[str] = ('Z', 'Y', 'X'),
        axis_prob: float = 0.5,
        prob: float = 1.0,
    ) -> None:
        super().__init__(prob)
        unknown = [axis for axis in axes if axis not in ('Z', 'Y', 'X')]
        if unknown or not 0 <= axis_prob <= 1:
            raise ValueError(
                f'axes are {list(axes)} with probability {axis_prob}, expected some of '
                'Z, Y, X and a number in [0, 1]'
            )
        self.axes = tuple(axes)
        self.axis_prob = axis_prob

    def draw(self, results: dict, rng: np.random.Generator) -> dict[str, Any]:
        """The axes."""
        drawn = rng.random(len(self.axes)) < self.axis_prob
        return {'axes': [a for a, is_on in zip(self.axes, drawn, strict=True) if is_on]}

    def apply(self, results: dict, params: dict[str, Any]) -> dict:
        """Mirror arrays and whatever describes them."""
        axes = tuple('ZYX'.index(axis) for axis in params['axes'])
        if not axes:
            return results
        shape = results['img'].shape[1:]
        results['img'] = np.flip(results['img'], tuple(axis + 1 for axis in axes))
        for name in results['seg_fields']:
            results[name] = np.flip(results[name], axes)
        if 'inside' in results:
            results['inside'] = tuple(
                (n - end, n - first) if axis in axes else (first, end)
                for axis, (n, (first, end)) in enumerate(
                    zip(shape, results['inside'], strict=True)
                )
            )
        pending = results.get('pending_warp')
        if pending is not None:
            warp = pending.warp.mirror(axes, shape)
            results['pending_warp'] = PendingWarp(warp, pending.size)
        return results


def apply_warp(results: dict, pending: PendingWarp) -> dict:
    """A sample whose arrays are the patch of a warp."""
    img = _to_tensor(results['img'])[None]
    names = results['seg_fields']
    seg = None
    if names:
        seg = _to_tensor(results[names[0]])[None]
    patch, labels = warp_volumes(img, seg, [pending.warp], pending.size)
    for name in names[1:]:
        other = _to_tensor(results[name])[None]
        moved = warp_volumes(img[:, :1], other, [pending.warp], pending.size)[1]
        assert moved is not None
        results[name] = moved[0].numpy()
    results['img'] = patch[0].numpy()
    if labels is not None:
        results[names[0]] = labels[0].numpy()
    results['inside'] = tuple((0, n) for n in pending.size)
    results['img_shape'] = tuple(pending.size)
    return results


def _to_tensor(array: np.ndarray) -> torch.Tensor:
    # Torch wants contiguous arrays that may be written.
    return torch.from_numpy(np.require(array, requirements=['C', 'W']))
