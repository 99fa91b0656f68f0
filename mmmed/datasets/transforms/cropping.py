"""RandomCropSlice: a window of a slice, around foreground when asked to.

Not here: other changes of geometry (``spatial``, ``loading``).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmmed.datasets.transforms.base import DrawnTransform
from mmmed.functional.letterbox import IGNORE_LABEL
from mmmed.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomCropSlice(DrawnTransform):
    """Cut out a window, centred on a foreground pixel when asked to.

    Windows that would leave the image are moved inside; where the image is smaller
    than the window it is centred on air (0) and 255 (ignored).

    Required keys: ``img`` (H, W, C), ``seg_fields`` and, to find foreground,
    ``gt_seg_map``, ``rng``.

    Modified keys: ``img``, every map named in ``seg_fields``, ``img_shape``,
    ``pad_shape``. ``img_padding_size`` no longer holds and is removed.

    Added keys: ``applied``.

    Args:
        size: Shape (Y, X) of the window.
        foreground_prob: Probability that the window is centred on a random pixel of
            the foreground (labels other than 0 and 255) if there is any; otherwise
            all positions are equally likely.
        prob: Probability that it is applied.

    Raises:
        ValueError: ``size`` is not two positive integers, or a probability is
            outside [0, 1].
    """

    def __init__(
        self,
        size: tuple[int, int],
        foreground_prob: float = 0.5,
        prob: float = 1.0,
    ) -> None:
        super().__init__(prob)
        if len(size) != 2 or min(size) < 1:
            raise ValueError(f'size is {size}, expected (Y, X) in pixels')
        if not 0 <= foreground_prob <= 1:
            raise ValueError(f'foreground_prob is {foreground_prob}, expected [0, 1]')
        self.size = (int(size[0]), int(size[1]))
        self.foreground_prob = foreground_prob

    def draw(self, results: dict, rng: np.random.Generator) -> dict[str, Any]:
        """Upper left corner (Y, X) of the window; negative where it is larger."""
        shape = results['img'].shape[:2]
        center = None
        if rng.random() < self.foreground_prob:
            center = _draw_foreground(results.get('gt_seg_map'), rng)
        corner = []
        for axis, (n, window) in enumerate(zip(shape, self.size, strict=True)):
            room = n - window
            if room <= 0:
                corner.append(-(-room // 2))
            elif center is None:
                corner.append(int(rng.integers(room + 1)))
            else:
                corner.append(min(max(center[axis] - window // 2, 0), room))
        return {'corner': corner, 'size': list(self.size)}

    def apply(self, results: dict, params: dict[str, Any]) -> dict:
        """Cut, and pad where the window is larger."""
        corner, size = params['corner'], params['size']
        results['img'] = _cut(results['img'], corner, size, 0)
        for name in results['seg_fields']:
            results[name] = _cut(results[name], corner, size, IGNORE_LABEL)
        results.update(img_shape=tuple(size), pad_shape=tuple(size))
        results.pop('img_padding_size', None)
        return results


def _draw_foreground(
    seg: np.ndarray | None, rng: np.random.Generator
) -> tuple[int, int] | None:
    """Place (Y, X) of a random foreground pixel, or None."""
    if seg is None:
        return None
    found = np.flatnonzero((seg != 0) & (seg != IGNORE_LABEL))
    if found.size == 0:
        return None
    y, x = divmod(int(rng.choice(found)), seg.shape[1])
    return y, x


def _cut(
    array: np.ndarray, corner: Sequence[int], size: Sequence[int], fill: int
) -> np.ndarray:
    """Window of an array (Y, X, ...), filled where it lies outside."""
    cut = np.full((*size, *array.shape[2:]), fill, dtype=array.dtype)
    source, target = [], []
    for start, window, n in zip(corner, size, array.shape[:2], strict=True):
        first, last = max(start, 0), min(start + window, n)
        source.append(slice(first, last))
        target.append(slice(first - start, last - start))
    cut[tuple(target)] = array[tuple(source)]
    return cut
