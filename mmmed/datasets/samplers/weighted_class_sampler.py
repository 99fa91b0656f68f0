"""WeightedClassSampler: classes of one target come equally often.

Not here: weights of classes in a loss (``mmmed.ClassBalanceHook``).
"""

from collections.abc import Sized
from typing import Literal

import numpy as np

from mmmed.datasets.columns import read_labels, read_patients
from mmmed.datasets.samplers.stream_sampler import StreamSampler, split_pool
from mmmed.registry import DATA_SAMPLERS

# First word after the seed of every permutation: order of classes, then one a class.
_ORDER = 0


@DATA_SAMPLERS.register_module()
class WeightedClassSampler(StreamSampler):
    """Stream in which every class of a target is as frequent as any other.

    What torch's ``WeightedRandomSampler`` with weights of 1 / (cases of the class)
    gives on average holds here for every stretch: each block of K positions (counted
    from 0), K the classes that there are, has each class once, in random order; of
    n positions a class has n / K, give or take less than two. Within a class every case
    is drawn once before any is drawn again. Cases without a label of the target are
    left out.

    The stream is one for all ranks and a pure function of seed and position; see
    :class:`~mmmed.datasets.samplers.stream_sampler.StreamSampler`. An epoch is as long
    as with shuffling, so frequent classes are not seen as a whole in one.

    Args:
        dataset: Of ours, for classification, alone, joined or wrapped; see
            :func:`mmmed.datasets.columns.read_labels`.
        target: Name of the target.
        epoch_length: As of the base class.
        seed: As of the base class.
        balance_patients: Within a class, patients of few cases come as often as those
            of many: each round of draws of the class takes one case of each patient;
            with slices of several planes a patient counts once a plane.

    Attributes:
        classes: Class numbers that there are, ascending.

    Raises:
        ValueError: Nobody has a label of the target, the dataset has no targets, or it
            does not tell the patients that are to be balanced.
    """

    def __init__(
        self,
        dataset: Sized,
        target: str,
        epoch_length: int | Literal['dataset'] | None = None,
        seed: int | None = None,
        balance_patients: bool = False,
    ) -> None:
        super().__init__(dataset, epoch_length, seed)
        self.target = target
        labels = read_labels(dataset, target)
        self.classes: list[int] = np.unique(labels[labels >= 0]).tolist()
        if not self.classes:
            raise ValueError(
                f'no case of the dataset has a label of {target!r}; sample without '
                'classes, or correct the name'
            )
        names = read_patients(dataset) if balance_patients else None
        self._pools = [
            split_pool(np.flatnonzero(labels == label), names) for label in self.classes
        ]

    def find_index(self, position: int) -> int:
        """Case at a position of the stream."""
        count = len(self.classes)
        block, offset = divmod(position, count)
        rank = int(self._permute(_ORDER, block, count)[offset])
        # Every block takes one of each class, so a class has come as often as blocks.
        return self._take(self._pools[rank], block, 1 + rank, 1 + count)
