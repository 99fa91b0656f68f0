"""Intensity: from the values of a scan to the scale of the training images.

Windows and percentiles are the functions that preparers use, so that what the network
sees in a scan is what it saw in training. Not here: mean and standard deviation of the
model's preprocessor (``recipe``).
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.intensity import (
    apply_window,
    compute_percentile_window,
    convert_grey,
    quantize_intensity,
)

KINDS = ('window', 'percentile', 'clip', 'zscore', 'stored')
# Voxels at a time: one float64 copy of them is 32 MiB.
_CHUNK = 1 << 22


@dataclass(frozen=True)
class Intensity:
    """How stored values become what the network was trained on.

    Args:
        kind: ``'window'``: CT numbers to 8-bit grey, one channel per window of
            ``windows_hu``. ``'percentile'``: linear from ``percentiles`` of the
            voxels that ``over`` names, per channel, to 0 and 255 (1 and 255, 0 stays 0,
            over ``'nonzero'``). ``'clip'``: values
            limited to ``limits``. ``'zscore'``: minus the mean, divided by the
            standard deviation of the voxels that ``over`` names, per channel.
            ``'stored'``: as they are.
        windows_hu: Pairs of level and width in HU.
        limits: Least and largest value.
        over: ``'all'`` voxels or the ``'nonzero'`` ones.
        percentiles: Lower and upper, 0 <= lower < upper <= 100.
        bits: 8 or 16: steps from one percentile to the other that volumes were
            stored with.
        whole: Whether training rounds 16 bits to whole numbers up to 255.

    Raises:
        ValueError: Unknown kind, or its values are absent or impossible.
    """

    kind: str = 'stored'
    windows_hu: tuple[tuple[float, float], ...] = ()
    limits: tuple[float, float] | None = None
    over: str = 'all'
    percentiles: tuple[float, float] | None = None
    bits: int = 8
    whole: bool = True

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f'intensity is {self.kind!r}, expected one of {KINDS}')
        windows = tuple(
            (float(level), float(width)) for level, width in self.windows_hu
        )
        object.__setattr__(self, 'windows_hu', windows)
        if (self.kind == 'window') != bool(windows) or not all(
            math.isfinite(level) and 0 < width < math.inf for level, width in windows
        ):
            raise ValueError(
                f'windows_hu is {windows} for intensity {self.kind!r}; "window" needs '
                'pairs of level and width > 0 in HU, the others none'
            )
        if self.kind == 'clip':
            low, high = self.limits or (0.0, 0.0)
            if not -math.inf < low < high < math.inf:
                raise ValueError(f'limits are {self.limits}, expected (least, largest)')
            object.__setattr__(self, 'limits', (float(low), float(high)))
        if self.over not in ('all', 'nonzero'):
            raise ValueError(f"over is {self.over!r}, expected 'all' or 'nonzero'")
        if self.kind == 'percentile':
            self._check_percentiles()

    def _check_percentiles(self) -> None:
        low, high = self.percentiles or (0.0, 0.0)
        if not 0 <= low < high <= 100:
            raise ValueError(
                f'percentiles are {self.percentiles}, expected (low, high) with '
                '0 <= low < high <= 100'
            )
        object.__setattr__(self, 'percentiles', (float(low), float(high)))
        if self.bits not in (8, 16):
            raise ValueError(f'intensity has {self.bits!r} bits, expected 8 or 16')

    @property
    def num_channels(self) -> int | None:
        """Channels it makes; None if as many as the scan has."""
        return len(self.windows_hu) or None

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> 'Intensity':
        """What :func:`dataclasses.asdict` described.

        Raises:
            ValueError: A key is unknown, or a value impossible.
        """
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError(f'intensity is not usable: {error}') from error


class FittedIntensity:
    """An :class:`Intensity` with what it has to know about one scan.

    Args:
        intensity: The rule.
        array: Values of the scan, (C, Z, Y, X); read only for ``'zscore'`` and
            ``'percentile'``.

    Raises:
        ValueError: Windows for a scan of several channels, or a scan without
            contrast, for which neither z-score nor percentiles exist.
    """

    def __init__(self, intensity: Intensity, array: NDArray) -> None:
        self.intensity = intensity
        if intensity.kind == 'window' and len(array) != 1:
            raise ValueError(
                f'scan of {len(array)} channels, expected one of CT numbers for '
                'windows in HU'
            )
        self._stats: list[tuple[float, float]] = []
        if intensity.kind == 'zscore':
            self._stats = [_measure(channel, intensity.over) for channel in array]
        self._windows: list[tuple[float, float]] = []
        if intensity.kind == 'percentile':
            assert intensity.percentiles is not None
            low, high = intensity.percentiles
            nonzero = intensity.over == 'nonzero'
            self._windows = [
                compute_percentile_window(channel, low, high, nonzero)
                for channel in array
            ]

    def apply(self, values: NDArray) -> NDArray:
        """Part of the scan, (C, *space), on the scale of the training images.

        Returns:
            Shape (C', *space); uint8 for windows, whole greys and stored bytes, else
            float32.

        Raises:
            ValueError: A value is NaN.
        """
        rule = self.intensity
        if rule.kind == 'window':
            return np.stack(
                [
                    apply_window(values[0], level_hu=level, width_hu=width)
                    for level, width in rule.windows_hu
                ]
            )
        if rule.kind == 'percentile':
            grey = np.stack(
                [
                    quantize_intensity(
                        channel, window, rule.bits, nonzero=rule.over == 'nonzero'
                    )
                    for channel, window in zip(values, self._windows, strict=True)
                ]
            )
            return convert_grey(grey, whole=rule.whole)
        if rule.kind == 'stored' and values.dtype == np.uint8:
            return values  # resized like training images, which are rounded to bytes
        result = values.astype(np.float32)
        if rule.kind == 'clip':
            assert rule.limits is not None
            np.clip(result, *rule.limits, out=result)
        for channel, (mean, deviation) in zip(result, self._stats, strict=False):
            channel -= np.float32(mean)
            channel /= np.float32(deviation)
        return result


def _measure(channel: NDArray, over: str) -> tuple[float, float]:
    """Mean and standard deviation of a channel, chunk by chunk."""
    count, total = 0, 0.0
    for part in _iterate_chunks(channel, over):
        count += part.size
        total += float(part.sum())
    if not count:
        raise ValueError('no voxel differs from 0, so there is no z-score')
    mean = total / count
    # A second pass: the difference of two large sums would lose the digits.
    spread = sum(
        float(((part - mean) ** 2).sum()) for part in _iterate_chunks(channel, over)
    )
    deviation = math.sqrt(spread / count)
    if not deviation > 0:
        raise ValueError(f'all voxels are {mean:g}, so there is no z-score')
    return mean, deviation


def _iterate_chunks(channel: NDArray, over: str) -> Iterator[NDArray[np.float64]]:
    step = max(1, _CHUNK // max(1, channel[0].size))
    for start in range(0, len(channel), step):
        part = channel[start : start + step].astype(np.float64).ravel()
        yield part[part != 0] if over == 'nonzero' else part
