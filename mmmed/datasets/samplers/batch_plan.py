"""Which slices make which batch of an epoch.

Not here: processes and positions (``distribution_batch_sampler``), how quotas are
rounded (``mmmed.functional.quotas``).
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from mmmed.functional.quotas import (
    count_legacy_batches,
    plan_quotas,
    round_legacy,
    spread_evenly,
)

# First word after the seed of every permutation.
_LESION, _FILLER = range(2)


class BatchPlan(Protocol):
    """Batches of every epoch.

    Attributes:
        num_batches: Of one epoch.
    """

    num_batches: int

    def build_epoch(self, epoch: int, seed: int) -> np.ndarray:
        """Dataset indices, shape (num_batches, batch size)."""


class ProportionalPlan:
    """Every lesion slice once an epoch, every batch with the strata in proportion.

    With N lesion slices there are T batches, T the whole number nearest to
    N / (batch_size * lesion_share), but enough for all. Each gets N / T lesion slices
    rounded down or up, the strata as
    :func:`~mmmed.functional.quotas.plan_quotas` promises, and is filled with slices
    of another pool. Of that pool all are used before any is used again, through the
    epochs. Within a batch the filling comes first, then stratum by stratum.

    Args:
        strata: Indices of the lesion slices of each stratum.
        fillers: Indices of the pool that fills the batches.
        batch_size: Slices of a batch, of all processes.
        lesion_share: Share of lesion slices, in (0, 1].

    Attributes:
        quotas: Slices of the fillers and of each stratum, shape (T, 1 + strata).
    """

    def __init__(
        self,
        strata: Sequence[np.ndarray],
        fillers: np.ndarray,
        batch_size: int,
        lesion_share: float,
    ) -> None:
        counts = [len(stratum) for stratum in strata]
        total = sum(counts)
        nearest = int(np.floor(total / (batch_size * lesion_share) + 0.5))
        self.num_batches = max(nearest, -(-total // batch_size))
        sizes = spread_evenly(total, self.num_batches)
        lesions = plan_quotas(counts, sizes.tolist())
        self.quotas = np.column_stack([batch_size - sizes, lesions])
        self._strata, self._fillers = list(strata), fillers
        self._shape = (self.num_batches, batch_size)
        self._places = _find_places(self.quotas)

    def build_epoch(self, epoch: int, seed: int) -> np.ndarray:
        """Dataset indices, shape (num_batches, batch size)."""
        needed = int(self.quotas[:, 0].sum())
        parts = [self._take_fillers(epoch * needed, needed, seed)]
        for number, stratum in enumerate(self._strata):
            parts.append(_permute(stratum, (seed, _LESION, number, epoch)))
        return _place(parts, self._places).reshape(self._shape)

    def _take_fillers(self, start: int, count: int, seed: int) -> np.ndarray:
        """A stretch of the endless stream of shuffled fillers."""
        size = max(len(self._fillers), 1)
        cycles = range(start // size, -(-(start + count) // size))
        stream = [_permute(self._fillers, (seed, _FILLER, c)) for c in cycles]
        offset = start % size
        return np.concatenate([*stream, self._fillers[:0]])[offset : offset + count]


class LegacyPlan:
    """Batches as published with RAX-Net: the same in every epoch, remainders lost.

    Half of each batch is normal. Strata get the quotas of
    :func:`~mmmed.functional.quotas.round_legacy`; the epoch ends when one runs out.
    For study of that protocol, not for use. Differs from the published batches:
    normals are shuffled once over all subjects, not fold file after fold file.

    Args:
        strata: Indices of the lesion slices of each stratum.
        normals: Indices of lesion-free slices.
        batch_size: Slices of a batch, of all processes; even.

    Raises:
        ValueError: The batch size is odd, or there is too little for a single batch.
    """

    def __init__(
        self, strata: Sequence[np.ndarray], normals: np.ndarray, batch_size: int
    ) -> None:
        if batch_size % 2:
            raise ValueError(f'batch_size is {batch_size}, legacy batches are even')
        half = batch_size // 2
        counts = [len(stratum) for stratum in strata]
        self.lesion_quotas = round_legacy(counts, half)
        self.num_batches = min(
            count_legacy_batches(counts, self.lesion_quotas), len(normals) // half
        )
        if not self.num_batches:
            raise ValueError(
                f'{counts} lesion slices by stratum and {len(normals)} normal ones do '
                f'not fill one legacy batch of {batch_size}; use legacy=False'
            )
        quotas = np.append(half, self.lesion_quotas)
        self._pools = [normals, *strata]
        self._used = quotas * self.num_batches
        self._shape = (self.num_batches, batch_size)
        self._places = _find_places(np.tile(quotas, (self.num_batches, 1)))
        self.counts = counts

    def build_epoch(self, epoch: int, seed: int) -> np.ndarray:
        """Dataset indices, shape (num_batches, batch size), whatever the epoch."""
        parts = [
            _permute(pool, (seed, number))[:used]
            for number, (pool, used) in enumerate(
                zip(self._pools, self._used.tolist(), strict=True)
            )
        ]
        return _place(parts, self._places).reshape(self._shape)

    def describe_losses(self) -> str:
        """What this protocol never shows to the network."""
        dropped = [
            number
            for number, (count, quota) in enumerate(
                zip(self.counts, self.lesion_quotas.tolist(), strict=True)
            )
            if count and not quota
        ]
        used, total = int(self._used[1:].sum()), sum(self.counts)
        text = f'legacy batches use {used} of {total} lesion slices in every epoch'
        if dropped:
            text += (
                f' and none of size stratum {", ".join(map(str, dropped))} (of '
                f'{len(self.counts)}, from 0)'
            )
        return text


def _find_places(quotas: np.ndarray) -> np.ndarray:
    """Place in the flat epoch of every slice, pool after pool."""
    num_batches, num_pools = quotas.shape
    pools = np.repeat(np.tile(np.arange(num_pools), num_batches), quotas.reshape(-1))
    return np.argsort(pools, kind='stable')


def _place(parts: Sequence[np.ndarray], places: np.ndarray) -> np.ndarray:
    flat = np.empty(len(places), np.int64)
    flat[places] = np.concatenate(parts)
    return flat


def _permute(pool: np.ndarray, key: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(np.random.SeedSequence(key)).permutation(pool)
