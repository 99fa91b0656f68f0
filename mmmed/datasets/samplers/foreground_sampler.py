"""ForegroundSampler: a seeded stream with a fixed share of positive cases.

Not here: what is done with a sample, or how batches of it are collated.
"""

from collections.abc import Iterator, Sized
from fractions import Fraction
from typing import Literal

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from mmmed.datasets.draw import Draw
from mmmed.registry import DATA_SAMPLERS

# First word after the seed of every permutation: streams that must not be equal.
_ALL, _POSITIVE, _NEGATIVE, _ORDER = range(4)


@DATA_SAMPLERS.register_module()
class ForegroundSampler(Sampler):
    """Stream of dataset indices in which rare positive cases are frequent.

    The stream is one for all ranks and a pure function of seed and position: rank r
    of W takes the positions p with p % W == r, so W local batches of B samples are
    together the batch of B * W samples of a single process, and a run continues at
    any position without loading what came before.

    The share is taken as the nearest fraction a/b with b <= 64. Every block of b
    positions (counted from 0) holds exactly a positives in random order; any n
    consecutive positions hold n * a/b of them, give or take 2 * a * (b - a) / b, which
    is one for a share of 0.5; a batch that is a whole number of blocks holds
    exactly its share. Within the positives and within the negatives every case is
    drawn once before any is drawn again.

    Args:
        dataset: Dataset whose ``get_data_info(i)['positive']`` tells whether case i
            is positive; MMEngine's wrappers of one pass it on.
        positive_share: Share of positives in the stream, in (0, 1); None to shuffle
            all cases together, every case once per ``len(dataset)`` positions.
        epoch_length: None for an endless stream (iteration-based training). A number
            of positions of all ranks per epoch for epoch-based training; epoch e
            begins at position e * epoch_length. Where W does not divide it, up to
            W - 1 positions are drawn again in the next epoch. ``'dataset'`` is the
            number of cases.
        seed: Seed of the stream, >= 0; None for a random one, equal on all ranks.
            MMEngine fills in the runner's.

    Attributes:
        start: Position at which iteration begins; to resume after i iterations of
            local batch size B, set it to i * B * W.

    Raises:
        ValueError: The share is outside (0, 1), or there is no positive or no
            negative case to fill it with, or the dataset is empty.
    """

    def __init__(
        self,
        dataset: Sized,
        positive_share: float | None = None,
        epoch_length: int | Literal['dataset'] | None = None,
        seed: int | None = None,
    ) -> None:
        if epoch_length == 'dataset':
            epoch_length = len(dataset)
        if epoch_length is not None and epoch_length < 1:
            raise ValueError(f'epoch_length is {epoch_length}, expected >= 1 or None')
        self.rank, self.world_size = get_dist_info()
        self.dataset = dataset
        self.size = len(dataset)
        self.epoch_length = epoch_length
        self.seed = sync_random_seed() if seed is None else seed
        self.start = 0
        self.share = _as_fraction(positive_share)
        self._pools = self._build_pools()
        self._permutations: dict[int, tuple[int, np.ndarray]] = {}

    def __iter__(self) -> Iterator[Draw]:
        """Draws of this rank from ``start`` on, to the end of the epoch if any."""
        position = self.start + self.rank
        end = None
        if self.epoch_length is not None:
            epoch_start = self.start // self.epoch_length * self.epoch_length
            end = epoch_start + len(self) * self.world_size
        while end is None or position < end:
            yield self.draw_at(position)
            position += self.world_size

    def __len__(self) -> int:
        """Draws of this rank in an epoch; the dataset's size if the stream is endless.

        The host's ``InfiniteSampler`` answers likewise.
        """
        if self.epoch_length is None:
            return self.size
        return -(-self.epoch_length // self.world_size)

    def set_epoch(self, epoch: int) -> None:
        """Move to the start of an epoch; without effect on an endless stream."""
        if self.epoch_length is not None:
            self.start = epoch * self.epoch_length

    def skip_to(self, position: int) -> None:
        """Begin the next iteration at this position of the stream of all ranks."""
        if position < 0:
            raise ValueError(f'position is {position}, expected >= 0')
        self.start = position

    def draw_at(self, position: int) -> Draw:
        """The draw at a position of the stream of all ranks."""
        pool, rank_in_pool = _ALL, position
        if self.share is not None:
            pool, rank_in_pool = self._locate(position, self.share)
        indices = self._pools[pool]
        cycle, place = divmod(rank_in_pool, len(indices))
        index = indices[self._permute(pool, cycle, len(indices))[place]]
        return Draw(int(index), position, self.seed)

    def _build_pools(self) -> dict[int, np.ndarray]:
        if self.size == 0:
            raise ValueError('the dataset is empty, there is nothing to sample')
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

    def _permute(self, kind: int, cycle: int, size: int) -> np.ndarray:
        # Positions are asked for in order, so the last permutation is enough.
        if self._permutations.get(kind, (-1,))[0] != cycle:
            key = np.random.SeedSequence((self.seed, kind, cycle))
            self._permutations[kind] = (
                cycle,
                np.random.default_rng(key).permutation(size),
            )
        return self._permutations[kind][1]


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
