"""PlanesDataset: slices of several planes of one prepared folder.

Not here: slices of one plane (``volume_slice_dataset``, ``spine``).
"""

from collections.abc import Sequence
from typing import Any

from mmengine.dataset import ConcatDataset

from mmmed.registry import DATASETS


@DATASETS.register_module()
class PlanesDataset(ConcatDataset):
    """All slices of the first plane, then of the next, as one data set.

    Whatever is said of it (folder, split, fold, pipeline) holds for every plane, so a
    recipe and its options name it once. A slice keeps its random numbers, whatever
    other planes there are before it, as long as a sampler of ours is used.

    Args:
        planes: One or more of ``'axial'``, ``'coronal'``, ``'sagittal'``.
        source: Type of the data set of each plane.
        lazy_init: As in the host.
        **kwargs: Those of the data set; ``plane`` has no effect.

    Raises:
        ValueError: No plane is given, or one twice; or as the data set says.
    """

    def __init__(
        self,
        planes: Sequence[str],
        source: str = 'mmmed.SpineDataset',
        lazy_init: bool = False,
        **kwargs: Any,
    ) -> None:
        if not planes or len(set(planes)) < len(planes):
            raise ValueError(f'planes are {list(planes)}, expected different names')
        self.planes = tuple(planes)
        parts = [
            DATASETS.build(
                {**kwargs, 'type': source, 'plane': plane, 'lazy_init': True}
            )
            for plane in planes
        ]
        # What records say of a data set; equal in all parts.
        self.ann_file: str = parts[0].ann_file
        self.data_root: str = parts[0].data_root
        self.split: str | None = parts[0].split
        self.fold: int | None = parts[0].fold
        # Without the facts of a manifest the host has nothing to compare.
        for part in parts if not lazy_init else ():
            part.full_init()
        super().__init__(parts, lazy_init)

    @property
    def split_name(self) -> str:
        """Label of the selected cases, e.g. 'train' or 'val-fold0'."""
        return str(self.datasets[0].split_name)
