"""StreamSampler: a seeded stream of cases that any process may enter anywhere.

Not here: which case comes at a position (the samplers beside this).
"""

from abc import abstractmethod
from collections.abc import Iterator, Sequence, Sized
from typing import Literal

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from mmmed.datasets.draw import Draw


def split_pool(indices: np.ndarray, names: np.ndarray | None) -> list[np.ndarray]:
    """The cases of a pool by their names, in the order of these.

    Args:
        indices: Some cases of a dataset, shape (n,).
        names: A name for each case of the dataset; None for one group of all.
    """
    if names is None:
        return [indices]
    own = names[indices]
    return [indices[own == name] for name in np.unique(own)]


class StreamSampler(Sampler):
    """Stream of dataset indices, one for all ranks: seed and position decide.

    Rank r of W takes the positions p with p % W == r, so W local batches of B samples
    are together the batch of B * W samples of a single process, and a run continues at
    any position without loading what came before.

    Args:
        dataset: What is sampled.
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
        ValueError: The dataset is empty, or ``epoch_length`` is below 1.
    """

    def __init__(
        self,
        dataset: Sized,
        epoch_length: int | Literal['dataset'] | None = None,
        seed: int | None = None,
    ) -> None:
        self.size = len(dataset)
        if self.size == 0:
            raise ValueError('the dataset is empty, there is nothing to sample')
        if epoch_length == 'dataset':
            epoch_length = self.size
        if epoch_length is not None and epoch_length < 1:
            raise ValueError(f'epoch_length is {epoch_length}, expected >= 1 or None')
        self.rank, self.world_size = get_dist_info()
        self.dataset = dataset
        self.epoch_length = epoch_length
        self.seed = sync_random_seed() if seed is None else seed
        self.start = 0
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
        return Draw(self.find_index(position), position, self.seed)

    @abstractmethod
    def find_index(self, position: int) -> int:
        """Case at a position of the stream: a function of seed and position."""

    def _take(
        self, pool: Sequence[np.ndarray], rank: int, kind: int, kinds: int
    ) -> int:
        """Case that comes ``rank``-th of a pool: its groups in turn, each shuffled.

        Every round takes one of each group, so a group has come as often as rounds.
        ``kinds`` is how many kinds of stream the sampler has, groups not counted.
        """
        group = 0
        if len(pool) > 1:
            rank, place = divmod(rank, len(pool))
            group = int(self._permute(kind, rank, len(pool))[place])
            kind += kinds * (1 + group)
        cycle, place = divmod(rank, len(pool[group]))
        return int(pool[group][self._permute(kind, cycle, len(pool[group]))[place]])

    def _permute(self, kind: int, cycle: int, size: int) -> np.ndarray:
        """Order of ``size`` things in a cycle of the stream ``kind``."""
        # Positions are asked for in order, so the last permutation is enough.
        if self._permutations.get(kind, (-1,))[0] != cycle:
            key = np.random.SeedSequence((self.seed, kind, cycle))
            self._permutations[kind] = (
                cycle,
                np.random.default_rng(key).permutation(size),
            )
        return self._permutations[kind][1]
