"""SliceTable: the slices of many volumes as a few arrays.

Not here: reading manifests (``volume_slice_dataset``) or pixels
(``mmmed.datasets.transforms``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from mmmed.datasets.columns import UNKNOWN

SELECTIONS = ('all', 'lesion', 'normal')


@dataclass(frozen=True)
class SliceTable:
    """One row a slice: 16 bytes each, where a dict would take a thousand.

    Args:
        volume: Row of the volume in its list, shape (n,), int32.
        index: Slice number from 0, shape (n,), int32.
        pixels: Lesion pixels; -1 without a mask, shape (n,), int32.
        distance: Slices to the nearest lesion slice of the volume, 0 on one; -1
            without a mask or a lesion, shape (n,), int32.
    """

    volume: np.ndarray
    index: np.ndarray
    pixels: np.ndarray
    distance: np.ndarray

    @classmethod
    def build(
        cls, lesion_pixels: Sequence[Sequence[int] | None], counts: Sequence[int]
    ) -> 'SliceTable':
        """All slices of volumes, in order.

        Args:
            lesion_pixels: Pixels on every slice of each volume; None without a mask.
            counts: Number of slices of each volume.
        """
        pixels = [
            np.full(count, UNKNOWN) if numbers is None else np.asarray(numbers)
            for numbers, count in zip(lesion_pixels, counts, strict=True)
        ]
        columns = (
            [np.full(count, row) for row, count in enumerate(counts)],
            [np.arange(count) for count in counts],
            pixels,
            [_measure_distances(numbers) for numbers in pixels],
        )
        return cls(*(np.concatenate(c).astype(np.int32) for c in columns))

    def __len__(self) -> int:
        return len(self.index)

    def select(self, slices: str, step: int = 1) -> 'SliceTable':
        """Slices with or without a lesion, and every ``step``-th of them by number.

        Args:
            slices: ``'all'``, ``'lesion'`` or ``'normal'``; slices without a mask
                are neither of the latter.
            step: Keep slices whose number is ``step // 2`` modulo ``step``.
        """
        kept = self.index % step == step // 2
        if slices == 'lesion':
            kept &= self.pixels > 0
        elif slices == 'normal':
            kept &= self.pixels == 0
        return self.take(np.flatnonzero(kept))

    def take(self, rows: np.ndarray | slice) -> 'SliceTable':
        """Some rows, in the given order."""
        return SliceTable(*(getattr(self, f.name)[rows] for f in fields(self)))


def _measure_distances(pixels: np.ndarray) -> np.ndarray:
    """Slices from each slice to the nearest one with a lesion; -1 if there is none."""
    lesion = np.flatnonzero(pixels > 0)
    if not lesion.size:
        return np.full(len(pixels), -1)
    numbers = np.arange(len(pixels))
    after = np.searchsorted(lesion, numbers).clip(max=len(lesion) - 1)
    before = (after - 1).clip(min=0)
    return np.minimum(np.abs(lesion[after] - numbers), np.abs(lesion[before] - numbers))
