"""ForegroundSampler: a seeded stream with a fixed share of positive cases.

Not here: what is done with a sample, or how batches of it are collated.
"""

from collections.abc import Sized
from fractions import Fraction
from typing import Literal

import numpy as np

from mmmed.datasets.columns import read_patients
from mmmed.datasets.samplers.stream_sampler import StreamSampler, split_pool
from mmmed.registry import DATA_SAMPLERS

# First word after the seed of every permutation: streams that must not be equal.
_ALL, _POSITIVE, _NEGATIVE, _ORDER, _KINDS = range(5)


@DATA_SAMPLERS.register_module()
class ForegroundSampler(StreamSampler):
    """Stream of dataset indices in which rare positive cases are frequent.

    The stream is one for all ranks and a pure function of seed and position; see
    :class:`~mmmed.datasets.samplers.stream_sampler.StreamSampler`.

    The share is taken as the nearest fraction a/b with b <= 64. Every block of b
    positions (counted from 0) holds exactly a positives in random order; any n
    consecutive positions hold n * a/b of them, give or take 2 * a * (b - a) / b, which
    is one for a share of 0.5; a batch that is a whole number of blocks holds
    exactly its share. Within the positives and within the negatives every case is
    drawn once before any is drawn again.

    With ``balance_patients`` patients come equally often among the positives, and among
    the negatives, however many cases they have: each block of as many draws of a pool
    as it has patients takes one of each. Of a patient every case is drawn once before
    any is drawn again. With slices of several planes a patient counts once a plane.

    Args:
        dataset: Dataset whose ``get_data_info(i)['positive']`` tells whether case i
            is positive; MMEngine's wrappers of one pass it on.
        positive_share: Share of positives in the stream, in (0, 1); None to shuffle
            all cases together, every case once per ``len(dataset)`` positions.
        epoch_length: As of the base class.
        seed: As of the base class.
        balance_patients: Patients of few cases come as often as those of many.

    Raises:
        ValueError: The share is outside (0, 1), or there is no positive or no
            negative case to fill it with, or the dataset is empty, or does not tell
            the patients that are to be balanced.
    """

    def __init__(
        self,
        dataset: Sized,
        positive_share: float | None = None,
        epoch_length: int | Literal['dataset'] | None = None,
        seed: int | None = None,
        balance_patients: bool = False,
    ) -> None:
        super().__init__(dataset, epoch_length, seed)
        self.share = _as_fraction(positive_share)
        names = read_patients(dataset) if balance_patients else None
        self._pools = {
            pool: split_pool(indices, names)
            for pool, indices in self._build_pools().items()
        }

    def find_index(self, position: int) -> int:
        """Case at a position of the stream."""
        pool, rank_in_pool = _ALL, position
        if self.share is not None:
            pool, rank_in_pool = self._locate(position, self.share)
        return self._take(self._pools[pool], rank_in_pool, pool, _KINDS)

    def _build_pools(self) -> dict[int, np.ndarray]:
        if self.share is None:
            return {_ALL: np.arange(self.size)}
        positive = _find_positive(self.dataset)
        counts = int(positive.sum()), int((~positive).sum())
        if 0 in counts:
            raise ValueError(
                f'{counts[0]} positive and {counts[1]} negative cases cannot give a '
                f'positive_share of {float(self.share):.3g}; set it to None'
            )
        return {
            _POSITIVE: np.flatnonzero(positive),
            _NEGATIVE: np.flatnonzero(~positive),
        }

    def _locate(self, position: int, share: Fraction) -> tuple[int, int]:
        """Pool of a position and how many of that pool came before it."""
        positives, size = share.numerator, share.denominator
        block, offset = divmod(position, size)
        is_positive = self._permute(_ORDER, block, size) < positives
        before = int(is_positive[:offset].sum())
        if is_positive[offset]:
            return _POSITIVE, block * positives + before
        return _NEGATIVE, block * (size - positives) + offset - before


def _as_fraction(share: float | None) -> Fraction | None:
    if share is None:
        return None
    fraction = Fraction(share).limit_denominator(64) if 0 < share < 1 else Fraction(0)
    if not 0 < fraction < 1:
        raise ValueError(
            f'positive_share is {share}, expected a share between 1/64 and 63/64, '
            'or None to shuffle all cases'
        )
    return fraction


def _find_positive(dataset: Sized) -> np.ndarray:
    """Which cases are positive, shape (len(dataset),), boolean."""
    try:
        found = [dataset.get_data_info(i)['positive'] for i in range(len(dataset))]  # type: ignore[attr-defined]
    except (AttributeError, KeyError) as error:
        raise ValueError(
            f'{type(dataset).__name__} does not tell which cases are positive; use '
            "mmmed.MedSegDataset, or get_data_info() with a key 'positive'"
        ) from error
    return np.array(found, dtype=bool)
