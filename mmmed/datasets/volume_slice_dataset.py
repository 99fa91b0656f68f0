"""VolumeSliceDataset: slices of prepared volumes, in any plane, as a dataset.

Not here: opening the volumes (``mmmed.datasets.transforms.volume_slice``), facts
about one data set (``atlas``).
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.dataset import force_full_init

from mmmed.datasets.base_med_dataset import MedSegDataset
from mmmed.datasets.slice_table import SELECTIONS, SliceTable
from mmmed.datasets.volume_entries import make_volume_entry
from mmmed.functional.planes import count_slices, drop_plane_axis, get_plane_axis
from mmmed.registry import DATASETS
from mmmed.structures.volume_case import VolumeCase


@DATASETS.register_module()
class VolumeSliceDataset(MedSegDataset):
    """Every slice of one plane of the volumes that a volume manifest lists.

    Splits and folds, seeds and wrappers work as in
    :class:`~mmmed.datasets.base_med_dataset.MedSegDataset`. Slices are counted along
    the array axes (Z, Y, X) and are never turned: axial (Y, X), coronal (Z, X),
    sagittal (Z, Y). The list of slices is held in arrays, 16 bytes a slice.

    What the pipeline gets for one slice: ``case_id`` (``<volume>_<plane>_<number>``),
    ``patient_id``, ``volume_id``, ``plane``, ``slice_index``, ``split``, ``fold``,
    ``spacing`` ((row, column) in mm), ``foreground_pixels`` and ``positive`` (None
    without a mask), ``img_paths`` (one file a sequence), ``img_path`` (the first of
    them), ``seg_map_path`` (absolute, or None), ``volume_shape``, ``neighbors``,
    ``sha256``, ``sample_idx``, ``data_root``, ``channels``, the host's fields, and
    ``rng``. The first transform is ``mmmed.LoadVolumeSlice``.

    Args:
        data_root: Prepared folder.
        ann_file: Manifest of volumes, relative to ``data_root``.
        plane: ``'axial'``, ``'coronal'`` or ``'sagittal'``.
        slices: ``'all'``, or those with (``'lesion'``) or without (``'normal'``)
            lesion.
        step: Keep every ``step``-th slice of each volume, to validate faster. Scores
            per patient are then those of a thinned volume.
        neighbors: Offsets of the slices that become channels, in their order: (0,)
            is the slice alone, (-2, -1, 0, 1) the four of D-UNet.
        sequences: Names in ``img_paths`` that become channels; None for all that
            ``channel_names`` of the manifest lists. With neighbours, all offsets of
            the first sequence come first.
        **kwargs: Those of ``MedSegDataset``: ``split``, ``fold``, ``seed`` and the
            host's. ``serialize_data`` has no effect.

    Raises:
        FileNotFoundError: The folder has no manifest.
        ValueError: It lists slices and not volumes, no slice is selected, a volume
            lacks a sequence or its table of lesion pixels, or an option is out of
            range.
    """

    UNIT = 'volume'
    _fully_initialized: bool

    def __init__(
        self,
        data_root: str,
        ann_file: str = 'manifest.json',
        *,
        plane: str = 'axial',
        slices: str = 'all',
        step: int = 1,
        neighbors: Sequence[int] = (0,),
        sequences: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        get_plane_axis(plane)
        if slices not in SELECTIONS:
            raise ValueError(f'slices is {slices!r}, expected one of {SELECTIONS}')
        if step < 1:
            raise ValueError(f'step is {step}, expected >= 1')
        if not neighbors or len(set(neighbors)) < len(neighbors):
            raise ValueError(
                f'neighbors is {list(neighbors)}, expected different offsets'
            )
        self.plane = plane
        self.slices = slices
        self.step = step
        self.neighbors = tuple(int(offset) for offset in neighbors)
        self.sequences = None if sequences is None else tuple(sequences)
        self._volumes: list[dict[str, Any]] = []
        self._table = SliceTable.build([[]], [0])
        super().__init__(data_root, ann_file, **kwargs)

    def full_init(self) -> None:
        """Read the manifest, once; the host calls this."""
        if self._fully_initialized:
            return
        self._volumes = self.load_data_list()
        table = SliceTable.build(
            [volume.pop('lesion_pixels') for volume in self._volumes],
            [count_slices(v['volume_shape'], self.plane) for v in self._volumes],
        ).select(self.slices, self.step)
        if not len(table):
            raise ValueError(
                f'{self.ann_file}: no {self.plane} slice in {self.split_name!r} with '
                f'slices={self.slices!r} (of {len(self._volumes)} volumes)'
            )
        self._table = table.take(_to_rows(self._indices, len(table)))
        self._fully_initialized = True

    @force_full_init
    def __len__(self) -> int:
        """Number of slices."""
        return len(self._table)

    @force_full_init
    def get_data_info(self, idx: int) -> dict:
        """Entry of one slice, without ``rng``; a plain index counts from the end."""
        row = int(idx)
        if not -len(self._table) <= row < len(self._table):
            raise IndexError(f'slice {row} of {len(self._table)}')
        volume = self._volumes[self._table.volume[row]]
        number, pixels = int(self._table.index[row]), int(self._table.pixels[row])
        return {
            **volume,
            'case_id': f'{volume["volume_id"]}_{self.plane}_{number:03d}',
            'slice_index': number,
            'plane': self.plane,
            'neighbors': self.neighbors,
            'foreground_pixels': None if pixels < 0 else pixels,
            'positive': None if pixels < 0 else pixels > 0,
            'seg_fields': [],
            'reduce_zero_label': False,
            'label_map': None,
            'sample_idx': row % len(self._table),
            'data_root': self.data_root,
            'channels': len(volume['img_paths']) * len(self.neighbors),
        }

    @force_full_init
    def get_column(self, name: str) -> np.ndarray:
        """One value of every slice; samplers of ours ask for it.

        Args:
            name: ``'foreground_pixels'``, ``'lesion_distance'`` (slices to the
                nearest lesion of the volume), both -1 where unknown,
                ``'pixel_area_mm2'``, or ``'patient'`` (ID and plane).

        Returns:
            Shape (n,).
        """
        if name == 'pixel_area_mm2':
            areas = np.array([np.prod(volume['spacing']) for volume in self._volumes])
            return areas[self._table.volume]
        if name == 'patient':
            names = [f'{volume["patient_id"]} {self.plane}' for volume in self._volumes]
            return np.array(names)[self._table.volume]
        columns = {
            'foreground_pixels': self._table.pixels,
            'lesion_distance': self._table.distance,
        }
        if name not in columns:
            raise ValueError(
                f'no column {name!r}, expected pixel_area_mm2, patient or one of '
                f'{list(columns)}'
            )
        return columns[name]

    @force_full_init
    def get_subset_(self, indices: Sequence[int] | int) -> None:
        """Keep the first (negative: last) slices, or those of a list, in place."""
        self._table = self._table.take(_to_rows(indices, len(self._table)))

    @force_full_init
    def get_subset(self, indices: Sequence[int] | int) -> 'VolumeSliceDataset':
        """A dataset of some slices; see :meth:`get_subset_`."""
        part = copy.copy(self)
        part.get_subset_(indices)
        return part

    def _to_entry(self, case: VolumeCase) -> dict[str, Any]:
        entry = make_volume_entry(
            case,
            self.sequences or self._metainfo.get('channel_names'),
            data_root=self.data_root,
            ann_file=self.ann_file,
        )
        return entry | {
            'volume_id': case.case_id,
            'spacing': drop_plane_axis(case.spacing, self.plane),
            'lesion_pixels': self._find_lesion_pixels(case),
        }

    def _find_lesion_pixels(self, case: VolumeCase) -> list[int] | None:
        """Pixels on every slice, or None for a case without a mask."""
        if case.seg_map_path is None:
            return None
        tables = case.extra.get('lesion_pixels')
        pixels = tables.get(self.plane) if isinstance(tables, Mapping) else None
        count = count_slices(case.shape, self.plane)
        if (
            not isinstance(pixels, list)
            or len(pixels) != count
            or any(type(n) is not int or n < 0 for n in pixels)
            or sum(pixels) != case.foreground_voxels
        ):
            raise ValueError(
                f'{self.ann_file}: {case.case_id!r}: lesion_pixels.{self.plane} are '
                f'not {count} numbers whose sum is foreground_voxels '
                f'({case.foreground_voxels}); prepare the data again'
            )
        return pixels


def _to_rows(indices: Sequence[int] | int | None, count: int) -> np.ndarray:
    """Rows that an mmengine subset means: the first n, the last n, or a list."""
    rows = np.arange(count)
    if indices is None:
        return rows
    if isinstance(indices, int):
        return rows[:indices] if indices >= 0 else rows[indices:]
    return rows[np.asarray(indices, np.int64)]
