"""From stored values of volumes to the scale of the network, the same in every run.

Not here: random changes (``volume_intensity``), how inference repeats these rules
(``mmmed.inference.config_recipe``).
"""

from collections import OrderedDict

import numpy as np
from mmcv.transforms import BaseTransform

from mmmed.datasets.transforms.volume_files import VolumeFiles
from mmmed.registry import TRANSFORMS

_CAPACITY = 65536


@TRANSFORMS.register_module()
class WindowVolume(BaseTransform):
    """Map a window of values to 0..1, everything beyond to the ends.

    Beyond the image (outside ``inside``) the array keeps its 0.

    Required keys: ``img`` (C, Z, Y, X). Used if present: ``inside``.

    Modified keys: ``img``.

    Args:
        low: Value that becomes 0; for CT in HU.
        high: Value that becomes 1, > ``low``.

    Raises:
        ValueError: The window is empty.
    """

    def __init__(self, low: float, high: float) -> None:
        if not -np.inf < low < high < np.inf:
            raise ValueError(f'window is ({low}, {high}), expected low < high')
        self.low = float(low)
        self.high = float(high)

    def transform(self, results: dict) -> dict:
        """Scale one sample; the host calls this."""
        part, place = _cut_inside(results)
        scaled = np.clip(part, self.low, self.high)
        scaled -= np.float32(self.low)
        scaled /= np.float32(self.high - self.low)
        return _put_inside(results, scaled, place)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(low={self.low}, high={self.high})'


@TRANSFORMS.register_module()
class NormalizeVolume(BaseTransform):
    """Subtract the mean and divide by the standard deviation of the whole volume.

    Both are measured on the stored volume of each channel, also where only a patch
    was read, once in each process; so a patch looks as it does in inference. Beyond
    the image the array keeps its 0, the mean.

    Required keys: ``img`` (C, Z, Y, X), ``img_paths``, ``volume_shape``. Used if
    present: ``inside``.

    Modified keys: ``img``.

    Args:
        over: ``'all'`` voxels, or those that are not 0 (``'nonzero'``).

    Raises:
        ValueError: ``over`` is something else, or a volume has no contrast.
    """

    def __init__(self, over: str = 'all') -> None:
        if over not in ('all', 'nonzero'):
            raise ValueError(f"over is {over!r}, expected 'all' or 'nonzero'")
        self.over = over
        self._files = VolumeFiles(capacity=16)
        self._found: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def transform(self, results: dict) -> dict:
        """Scale one sample; the host calls this."""
        part, place = _cut_inside(results)
        scaled = part.astype(np.float32)
        for channel, path in zip(scaled, results['img_paths'], strict=True):
            mean, deviation = self._measure(path, results['volume_shape'])
            channel -= np.float32(mean)
            channel /= np.float32(deviation)
        return _put_inside(results, scaled, place)

    def _measure(self, path: str, shape: tuple[int, ...]) -> tuple[float, float]:
        found = self._found.get(path)
        if found is None:
            values = self._files.read_img(path, shape)
            if self.over == 'nonzero':
                values = values[values != 0]
            mean = float(values.mean(dtype=np.float64)) if values.size else 0.0
            spread = (values - np.float64(mean)) ** 2
            deviation = float(np.sqrt(spread.mean())) if values.size else 0.0
            if not deviation > 0:
                raise ValueError(f'{path}: all voxels are alike, so there is no scale')
            found = self._found[path] = (mean, deviation)
            if len(self._found) > _CAPACITY:
                self._found.popitem(last=False)
        return found

    def __repr__(self) -> str:
        return f'{type(self).__name__}(over={self.over!r})'


def _cut_inside(results: dict) -> tuple[np.ndarray, tuple[slice, ...]]:
    box = results.get('inside') or tuple((0, n) for n in results['img'].shape[1:])
    place = (slice(None), *(slice(first, end) for first, end in box))
    return results['img'][place], place


def _put_inside(results: dict, part: np.ndarray, place: tuple[slice, ...]) -> dict:
    if part.shape == results['img'].shape:
        results['img'] = part
        return results
    whole = np.zeros_like(results['img'])
    whole[place] = part
    results['img'] = whole
    return results
