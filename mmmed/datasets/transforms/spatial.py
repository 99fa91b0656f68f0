"""Flip and affine map of a slice; label maps on its grid move along.

Not here: crops (``cropping``), fitting an image to a size (``loading``), grey values
(``intensity``).
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

from mmmed.datasets.transforms.base import (
    DrawnTransform,
    check_range,
    draw_log_uniform,
    draw_uniform,
)
from mmmed.functional.planes import drop_plane_axis
from mmmed.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomFlipSlice(DrawnTransform):
    """Mirror image and label maps.

    For axial heads only 'horizontal' (left-right) keeps the anatomy plausible. Where
    samples say their ``plane``, 'left-right' does that in each: axial and coronal
    slices have X as their last axis and are mirrored along it, sagittal slices have no
    such axis and stay as they are.

    Required keys: ``img`` (H, W, C), ``seg_fields``, ``rng``; for 'left-right' also
    ``plane``.

    Modified keys: ``img``, every map named in ``seg_fields``, and
    ``img_padding_size``, whose margins change sides.

    Added keys: ``flip``, ``flip_direction`` (None without a flip), which the host uses
    to turn predictions back, and ``applied``.

    Args:
        prob: Probability of a flip.
        direction: ``'horizontal'``, ``'vertical'`` or ``'left-right'``.

    Raises:
        ValueError: Another direction, or a sample without a plane.
    """

    def __init__(self, prob: float = 0.5, direction: str = 'horizontal') -> None:
        super().__init__(prob)
        if direction not in ('horizontal', 'vertical', 'left-right'):
            raise ValueError(
                f"direction is {direction!r}, expected 'horizontal', 'vertical' or "
                "'left-right'"
            )
        self.direction = direction

    def transform(self, results: dict) -> dict:
        """Say that nothing is flipped, unless it is; the host calls this."""
        results.setdefault('flip', False)
        results.setdefault('flip_direction', None)
        if self.direction == 'left-right' and not _shows_sides(results):
            return results
        return super().transform(results)

    def draw(self, results: dict, rng: np.random.Generator) -> dict[str, Any]:
        """The direction in the image."""
        is_vertical = self.direction == 'vertical'
        return {'direction': 'vertical' if is_vertical else 'horizontal'}

    def apply(self, results: dict, params: dict[str, Any]) -> dict:
        """Flip along the direction."""
        is_horizontal = params['direction'] == 'horizontal'
        _map_arrays(results, lambda array: cv2.flip(array, int(is_horizontal)))
        results.update(flip=True, flip_direction=params['direction'])
        if 'img_padding_size' in results:
            left, right, top, bottom = results['img_padding_size']
            results['img_padding_size'] = (
                (right, left, top, bottom)
                if is_horizontal
                else (left, right, bottom, top)
            )
        return results


@TRANSFORMS.register_module()
class RandomAffineSlice(DrawnTransform):
    """Rotate, scale and shift about the centre: image bilinear, labels nearest.

    Pixels from beyond the image are air (0) and background (``seg_fill`` 0), which is
    what a scanner shows beyond a head; set it to 255 to leave them out of the loss.
    No other label value can appear.

    Required keys: ``img`` (H, W, C), ``seg_fields``, ``rng``.

    Modified keys: ``img``, every map named in ``seg_fields``, and ``img_spacing``. The
    margins in ``img_padding_size`` are no longer straight and the key is removed.

    Added keys: ``applied``.

    Args:
        angle_deg: Largest rotation to either side, in degrees; positive turns
            counter-clockwise on the screen.
        scale: Range of the magnification, log-uniform, > 0.
        shift: Largest shift to either side as a fraction of height and width.
        seg_fill: Label of pixels from beyond the image.
        prob: Probability that it is applied.

    Raises:
        ValueError: A range is reversed or outside its limits.
    """

    def __init__(
        self,
        angle_deg: float = 15.0,
        scale: Sequence[float] = (0.9, 1.1),
        shift: float = 0.05,
        seg_fill: int = 0,
        prob: float = 1.0,
    ) -> None:
        super().__init__(prob)
        self.angle_deg = check_range('angle_deg', (0, angle_deg), low=0, high=180)[1]
        self.scale = check_range('scale', scale, low=0.01, high=100)
        self.shift = check_range('shift', (0, shift), low=0, high=1)[1]
        self.seg_fill = seg_fill

    def draw(self, results: dict, rng: np.random.Generator) -> dict[str, Any]:
        """Angle, magnification, and shift (Y, X) in pixels."""
        height, width = results['img'].shape[:2]
        return {
            'angle_deg': draw_uniform(rng, -self.angle_deg, self.angle_deg),
            'scale': draw_log_uniform(rng, *self.scale),
            'shift': [
                draw_uniform(rng, -self.shift, self.shift) * n for n in (height, width)
            ],
        }

    def apply(self, results: dict, params: dict[str, Any]) -> dict:
        """Resample image and label maps on the same grid."""
        img = results['img']
        forward = build_affine(img.shape[:2], **params)
        results['img'] = _warp_img(img, forward)
        for name in results['seg_fields']:
            results[name] = _warp_seg(results[name], forward, self.seg_fill)
        if results.get('img_spacing') is not None:
            results['img_spacing'] = [
                mm / params['scale'] for mm in results['img_spacing']
            ]
        results.pop('img_padding_size', None)
        return results


def build_affine(
    shape: tuple[int, int], angle_deg: float, scale: float, shift: Sequence[float]
) -> np.ndarray:
    """Matrix that takes a pixel of the input to its place in the output.

    Args:
        shape: Of the image, (Y, X); its centre is the centre of the map.
        angle_deg: Rotation, positive counter-clockwise on the screen.
        scale: Magnification.
        shift: Shift (Y, X) in pixels, after rotation and scaling.

    Returns:
        Shape (2, 3), float64, for OpenCV's column vectors (x, y, 1).
    """
    x, y = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    angle = math.radians(angle_deg)
    # The y axis points down, so this turns counter-clockwise as one sees it.
    a, b = scale * math.cos(angle), scale * math.sin(angle)
    return np.array(
        [
            [a, b, x + shift[1] - a * x - b * y],
            [-b, a, y + shift[0] + b * x - a * y],
        ]
    )


def _shows_sides(results: dict) -> bool:
    """Whether the left and the right of the body lie side by side in a slice."""
    if 'plane' not in results:
        raise ValueError(
            "direction 'left-right' needs results['plane'], got none; use "
            "mmmed.VolumeSliceDataset, or 'horizontal' for axial slices"
        )
    return drop_plane_axis(('Z', 'Y', 'X'), results['plane'])[1] == 'X'


def _map_arrays(results: dict, change: Callable[[np.ndarray], np.ndarray]) -> None:
    img = results['img']
    # OpenCV drops a last axis of length one.
    results['img'] = change(img).reshape(*img.shape)
    for name in results['seg_fields']:
        results[name] = change(results[name])


def _warp_img(img: np.ndarray, forward: np.ndarray) -> np.ndarray:
    height, width, channels = img.shape
    if channels > 4:
        # OpenCV takes four at a time.
        parts = [img[..., start : start + 4] for start in range(0, channels, 4)]
        return np.concatenate([_warp_img(part, forward) for part in parts], axis=2)
    source = np.ascontiguousarray(img)
    if channels == 2:
        # OpenCV is three times slower with two or three channels than with four.
        source = np.zeros((height, width, 4), img.dtype)
        source[..., :2] = img
    warped = cv2.warpAffine(source, forward, (width, height), flags=cv2.INTER_LINEAR)
    return np.ascontiguousarray(warped.reshape(height, width, -1)[..., :channels])


def _warp_seg(seg: np.ndarray, forward: np.ndarray, fill: int) -> np.ndarray:
    """Label map moved by a matrix; only where it differs from the fill is computed."""
    moved = np.full_like(seg, fill)
    left, top, right, bottom = _find_target(seg, forward, fill)
    if left >= right or top >= bottom:
        return moved
    shifted = forward.copy()
    shifted[:, 2] -= (left, top)
    moved[top:bottom, left:right] = cv2.warpAffine(
        seg,
        shifted,
        (right - left, bottom - top),
        flags=cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=float(fill),
    )
    return moved


def _find_target(
    seg: np.ndarray, forward: np.ndarray, fill: int
) -> tuple[int, int, int, int]:
    """Box left, top, right, bottom that holds all labels but the fill once moved."""
    differs = seg if fill == 0 else (seg != fill).view(np.uint8)
    x, y, width, height = cv2.boundingRect(differs)
    if not width:
        return 0, 0, 0, 0
    # Half a pixel around the outermost centres, and one more for rounding.
    xs, ys = (x - 1, x + width), (y - 1, y + height)
    corners = np.array([(cx, cy, 1) for cx in xs for cy in ys]) @ forward.T
    low = np.maximum(np.floor(corners.min(axis=0)) - 1, 0).astype(int)
    limit = seg.shape[::-1]
    high = np.minimum(np.ceil(corners.max(axis=0)) + 2, limit).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])
