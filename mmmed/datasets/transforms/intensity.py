"""RandomIntensity: changes of grey value that a CT scanner or viewer could make.

Not here: hue and saturation, which grey images do not have; Hounsfield windows, which
are applied when the data are prepared.
"""

import functools
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from mmmed.datasets.transforms.base import (
    DrawnTransform,
    check_range,
    draw_log_uniform,
    draw_uniform,
)
from mmmed.registry import TRANSFORMS

# Grey levels over which a mapping runs into the saturated ends.
_RAMP = 16
_TO_RAMP = np.linspace(0, 1, _RAMP + 1)
_LEVELS = np.linspace(0, 1, 256)
# The bank of noise: its length, and grey levels per standard deviation.
_BANK_SIZE = 1 << 20
_BANK_STD = 32.0


@TRANSFORMS.register_module()
class RandomIntensity(DrawnTransform):
    """Random window, gamma and noise on 8-bit windowed images.

    A grey level v in [0, 1] becomes ``gain * (v**gamma - 0.5) + 0.5 + offset``, which
    is what another window width (gain) and level (offset) would show; noise of one
    standard deviation for the whole image is added. Level 0 stays 0 and 255 stays
    255, because what lies far outside the window (air, bone) stays there; the 16
    levels beside them are interpolated. All channels get the same mapping.

    Required keys: ``img`` (H, W, C) uint8, ``rng``.

    Modified keys: ``img``. Added keys: ``applied``.

    Args:
        gain: Range of the gain, log-uniform, > 0.
        offset: Range of the offset, uniform, in fractions of the full range.
        gamma: Range of the exponent, log-uniform, > 0.
        noise_std: Range of the standard deviation of the noise, uniform, in grey
            levels, 0 to 31.
        prob: Probability that it is applied.

    Raises:
        ValueError: A range is reversed or outside its limits, or the image is not
            8-bit.
    """

    def __init__(
        self,
        gain: Sequence[float] = (0.8, 1.25),
        offset: Sequence[float] = (-0.08, 0.08),
        gamma: Sequence[float] = (0.8, 1.25),
        noise_std: Sequence[float] = (0.0, 6.0),
        prob: float = 1.0,
    ) -> None:
        super().__init__(prob)
        self.gain = check_range('gain', gain, low=0.01, high=100)
        self.offset = check_range('offset', offset, low=-1, high=1)
        self.gamma = check_range('gamma', gamma, low=0.01, high=100)
        self.noise_std = check_range('noise_std', noise_std, low=0, high=31)

    def draw(self, results: dict, rng: np.random.Generator) -> dict[str, Any]:
        """Gain, offset, gamma, noise level, and the part of the noise bank to use."""
        return {
            'gain': draw_log_uniform(rng, *self.gain),
            'offset': draw_uniform(rng, *self.offset),
            'gamma': draw_log_uniform(rng, *self.gamma),
            'noise_std': draw_uniform(rng, *self.noise_std),
            'noise_at': int(rng.integers(_BANK_SIZE)),
        }

    def apply(self, results: dict, params: dict[str, Any]) -> dict:
        """Map the grey levels, then add the noise."""
        img = results['img']
        if img.dtype != np.uint8:
            raise ValueError(f'img is {img.dtype}, expected 8-bit windowed grey values')
        table = build_table(params['gain'], params['offset'], params['gamma'])
        mapped = cv2.LUT(img, table).reshape(img.shape)
        if params['noise_std'] > 0:
            _add_noise(mapped, params['noise_std'], params['noise_at'])
        results['img'] = mapped
        return results


def build_table(gain: float, offset: float, gamma: float) -> np.ndarray:
    """New grey level of each old one, shape (256,), uint8; see RandomIntensity."""
    table = gain * (_LEVELS**gamma - 0.5) + (0.5 + offset)
    table = np.minimum(np.maximum(table, 0), 1)
    table[: _RAMP + 1] = table[_RAMP] * _TO_RAMP
    table[-_RAMP - 1 :] = 1 - (1 - table[-_RAMP - 1]) * _TO_RAMP[::-1]
    return np.rint(255 * table).astype(np.uint8)


def _add_noise(img: np.ndarray, std: float, at: int) -> None:
    """Add Gaussian noise in place where an image is not saturated."""
    planes = img.reshape(img.shape[0], -1)
    noise = _take_noise(at, planes.size).reshape(planes.shape)
    scale = std / _BANK_STD
    noisy = cv2.addWeighted(planes, 1.0, noise, scale, -128 * scale)
    # Air and bone are saturated: noise that the window hides must not appear.
    cv2.copyTo(noisy, cv2.inRange(planes, 1, 254), planes)


def _take_noise(at: int, count: int) -> np.ndarray:
    bank = _build_noise_bank()
    if at + count > bank.size:
        bank = np.resize(bank, at + count)
    return bank[at : at + count]


@functools.cache
def _build_noise_bank() -> np.ndarray:
    """Fixed Gaussian noise around 128, twice in a row, uint8.

    Drawing a quarter of a million normal numbers for every sample would cost more
    than all other transforms together, so one realisation is kept and a random
    stretch of it is scaled. It repeats itself after ``_BANK_SIZE`` numbers, as many
    as a slice of 1024 x 1024 pixels has.
    """
    rng = np.random.default_rng(20200114)
    normal = rng.standard_normal(_BANK_SIZE, dtype=np.float32)
    levels = np.clip(np.rint(128 + _BANK_STD * normal), 0, 255).astype(np.uint8)
    return np.tile(levels, 2)
