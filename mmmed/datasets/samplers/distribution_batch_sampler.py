"""DistributionBatchSampler: every batch mirrors the lesion sizes of the training set.

Not here: which slices make which batch (``batch_plan``), what a stratum is
(``mmmed.functional.lesion_strata``).
"""

import logging
from collections.abc import Iterator, Sequence, Sized
from typing import Any

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from mmengine.logging import print_log
from torch.utils.data import Sampler

from mmmed.datasets.columns import (
    read_foreground,
    read_lesion_distances,
    read_pixel_areas,
)
from mmmed.datasets.draw import Draw
from mmmed.datasets.samplers.batch_plan import (
    BatchPlan,
    LegacyPlan,
    ProportionalPlan,
)
from mmmed.functional.lesion_strata import assign_strata, get_edges
from mmmed.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class DistributionBatchSampler(Sampler):
    """Batches in which lesion sizes are as frequent as in the whole training set.

    Each batch holds a share of lesion slices, divided among strata of lesion size in
    proportion to how many slices each stratum has; what rounding takes from a rare
    stratum in one batch it gets in a later one. Every lesion slice comes exactly once
    an epoch, in an order of its own; the rest of a batch are slices without a lesion,
    all of which come once before any comes again.

    Bounds, for batches of G slices of all processes and N lesion slices in T batches:
    a batch has N / T lesion slices rounded down or up, which differs from
    G * lesion_share by at most G * lesion_share / (2 T) and the rounding; it has less
    than two slices more or fewer of a stratum than its exact share, and after any
    number of batches the stratum is less than one slice ahead or behind.

    The stream is a pure function of seed and position. A batch is built for all
    processes together: rank r of W takes its positions p with p % W == r, so W local
    batches of B are the batch of B * W of a single process. It lists strata in
    order, so the ranks' parts are alike.

    In a config, beside the ``sampler`` that the host demands (whose dataset and seed
    are used, not its order)::

        sampler=dict(type='DefaultSampler', shuffle=True),
        batch_sampler=dict(type='mmmed.DistributionBatchSampler'),

    Args:
        sampler: Any sampler with ``dataset`` and, unless ``seed`` is given, ``seed``.
        batch_size: Slices in a batch of one process.
        lesion_share: Share of lesion slices, in (0, 1]. With 1 a few lesion slices
            come twice, to fill the last places.
        edges: Level in ``mmmed.functional.lesion_strata.STRATUM_EDGES`` or inner
            edges in mm2, ``(low, high]``; None for those of the dataset's ``plane``.
        normals: ``'uniform'`` for any slice without a lesion, ``'near'`` for those
            near a lesion of the same scan.
        near_slices: Largest distance of the latter, in slices.
        endless: True goes from epoch to epoch without an end: for iteration-based
            training, where a new start of the workers each epoch costs seconds.
        legacy: True for the published protocol (see
            :class:`~mmmed.datasets.samplers.batch_plan.LegacyPlan`): edges
            ``[low, high)``, the same batches in every epoch, and a warning that says
            what is lost. ``lesion_share`` is 0.5 then.
        seed: Seed of the stream, >= 0; None for that of ``sampler``.

    Attributes:
        start: Position in the stream of all ranks at which iteration begins, a whole
            number of batches; to resume after i iterations, i * batch_size * W.
        batch_size: As given.

    Raises:
        ValueError: A dataset without lesions, without normal slices to fill the
            batches, or with cases without a mask; an option out of range.
    """

    def __init__(
        self,
        sampler: Any,
        batch_size: int,
        lesion_share: float = 0.5,
        edges: str | Sequence[float] | None = None,
        normals: str = 'uniform',
        near_slices: int = 10,
        endless: bool = False,
        legacy: bool = False,
        seed: int | None = None,
    ) -> None:
        _check_options(batch_size, lesion_share, normals, near_slices)
        if legacy and lesion_share != 0.5:
            raise ValueError(f'lesion_share is {lesion_share}, legacy means 0.5')
        self.rank, self.world_size = get_dist_info()
        self.dataset: Sized = sampler.dataset
        self.batch_size = batch_size
        self.lesion_share = lesion_share
        self.edges = get_edges(_find_level(self.dataset) if edges is None else edges)
        self.normals = normals
        self.near_slices = near_slices
        self.endless = endless
        seed = getattr(sampler, 'seed', None) if seed is None else seed
        self.seed = sync_random_seed() if seed is None else int(seed)
        self._size = batch_size * self.world_size
        self._plan = self._make_legacy_plan() if legacy else self._make_plan()
        self._start = self._first_epoch = 0
        self._epoch: tuple[int, np.ndarray] | None = None

    @property
    def start(self) -> int:
        """Position at which iteration begins."""
        return self._start

    @start.setter
    def start(self, position: int) -> None:
        if position < 0 or position % self._size:
            raise ValueError(
                f'start is {position}, expected a whole number of batches of '
                f'{self._size}; a run is resumed with the batch it began with'
            )
        self._start = position
        # A loop that moves the start counts its epochs from here.
        self._first_epoch = position // (self._size * len(self))

    @property
    def sampler(self) -> 'DistributionBatchSampler':
        """Itself: the host calls ``set_epoch`` of a batch sampler's ``sampler``."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Move to the start of an epoch, counted from the one last set as start."""
        self._start = (self._first_epoch + epoch) * self._size * len(self)

    def __len__(self) -> int:
        """Batches in an epoch."""
        return self._plan.num_batches

    def __iter__(self) -> Iterator[list[Draw]]:
        """Batches of this rank from ``start`` to the end of that epoch, if any."""
        epoch, first = divmod(self._start // self._size, len(self))
        while True:
            for number in range(first, len(self)):
                yield self.get_batch(epoch * len(self) + number)
            if not self.endless:
                return
            epoch, first = epoch + 1, 0

    def get_batch(self, number: int) -> list[Draw]:
        """This rank's part of a batch of the stream, counted through all epochs."""
        epoch, place = divmod(number, len(self))
        # Batches are asked for in order, so the last epoch is enough.
        if self._epoch is None or self._epoch[0] != epoch:
            self._epoch = epoch, self._plan.build_epoch(epoch, self.seed)
        indices = self._epoch[1][place, self.rank :: self.world_size].tolist()
        position = number * self._size + self.rank
        return [
            Draw(index, position + k * self.world_size, self.seed)
            for k, index in enumerate(indices)
        ]

    def _make_plan(self) -> BatchPlan:
        strata, normals = self._sort_slices('high')
        if self.lesion_share == 1:
            normals = np.concatenate(strata)
        elif not normals.size:
            raise ValueError(
                f'no slice without a lesion to fill batches with lesion_share '
                f'{self.lesion_share}; set it to 1 or use slices="all"'
            )
        return ProportionalPlan(strata, normals, self._size, self.lesion_share)

    def _make_legacy_plan(self) -> BatchPlan:
        plan = LegacyPlan(*self._sort_slices('low'), self._size)
        print_log(plan.describe_losses(), 'current', logging.WARNING)
        return plan

    def _sort_slices(self, closed: str) -> tuple[list[np.ndarray], np.ndarray]:
        """Indices of the lesion slices of each stratum, and of the normal slices."""
        counts = read_foreground(self.dataset)
        if (counts < 0).any():
            raise ValueError(
                f'{int((counts < 0).sum())} slices have no mask, whose lesions cannot '
                "be counted; train on split='train'"
            )
        areas = read_pixel_areas(self.dataset)
        numbers = assign_strata(counts, self.edges, element_size=areas, closed=closed)
        if not counts.any():
            raise ValueError(
                'the dataset shows no lesion, there is no distribution to match; use '
                'an ordinary sampler'
            )
        strata = [np.flatnonzero(numbers == k) for k in range(len(self.edges) + 1)]
        is_normal = counts == 0
        if self.normals == 'near':
            distances = read_lesion_distances(self.dataset)
            is_normal &= (distances > 0) & (distances <= self.near_slices)
        return strata, np.flatnonzero(is_normal)


def _find_level(dataset: Any) -> str:
    plane = getattr(dataset, 'plane', None)
    if plane is None:
        raise ValueError(
            f'{type(dataset).__name__} has no plane, so the size strata are not known; '
            "give edges, for instance edges='axial'"
        )
    return str(plane)


def _check_options(
    batch_size: int, lesion_share: float, normals: str, near_slices: int
) -> None:
    if batch_size < 1:
        raise ValueError(f'batch_size is {batch_size}, expected >= 1')
    if not 0 < lesion_share <= 1:
        raise ValueError(f'lesion_share is {lesion_share}, expected (0, 1]')
    if normals not in ('uniform', 'near'):
        raise ValueError(f"normals is {normals!r}, expected 'uniform' or 'near'")
    if near_slices < 1:
        raise ValueError(f'near_slices is {near_slices}, expected >= 1')
