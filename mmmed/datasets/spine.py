"""SpineDataset: slices of spinal cord MRI with their masks and class labels."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from mmengine.dataset import force_full_init

from mmmed.datasets.volume_slice_dataset import VolumeSliceDataset
from mmmed.functional.planes import count_slices
from mmmed.registry import DATASETS
from mmmed.structures.manifest_rules import check_relative_path
from mmmed.structures.spine_classes import (
    CORD,
    SERIES_TARGETS,
    SPINE_TARGETS,
    UNKNOWN,
    find_class_number,
    join_location_view,
)
from mmmed.structures.volume_case import VolumeCase

_COLORS = {'cord': [86, 180, 233], 'lesion': [213, 94, 0]}
_SLICES = ('all', 'lesion', 'normal', 'cord')


@DATASETS.register_module()
class SpineDataset(VolumeSliceDataset):
    """Spinal cord MRI that ``tools/prepare_dataset.py spine`` prepared, by slices.

    Beside the keys of
    :class:`~mmmed.datasets.volume_slice_dataset.VolumeSliceDataset`: ``targets``, class
    number of each of ``SPINE_TARGETS``, -1 where nobody knows (``view`` follows from
    the plane, ``location_view`` from location, view and anatomy, ``cord`` from the
    pixels of the cord mask on the slice); ``cord_path``, packed cord mask, None
    without one; ``cord_pixels`` (None likewise); ``volume_spacing``, (Z, Y, X) in mm.
    ``metainfo['targets']`` has the class names.

    Several planes are ``mmmed.PlanesDataset``, or several of these in the host's
    ``ConcatDataset``: their ``metainfo`` agree, and each slice keeps its random numbers
    (``Draw``).

    Source: Cohen-Adad J., Alonso-Ortiz E., Abramovic M. et al. Open-access quantitative
    MRI data of the spinal cord and reproducibility across participants, sites and
    manufacturers. Scientific Data 8:219, 2021, doi:10.1038/s41597-021-00941-8 (Spine
    Generic multi-subject: 267 subjects, T1w, T2w, T2*w and others; CC BY 4.0, on
    git-annex), and whatever else lies in its layout or in that of the Spinal Cord
    Toolbox. Label ids: 0 background, 1 cord or lesion.

    Known defects:
        - Spine Generic has no lesions; 64 of its subjects have a compressed cord, and
          its cord masks are mostly a network's, corrected by people.
        - An image without a mask is no image without a lesion: ``is_masked_only``.

    Args:
        *args: As for ``VolumeSliceDataset``.
        target: What the prepared masks show: ``'cord'`` or ``'lesion'``.
        slices: ``'all'``; those with or without a pixel of the target's mask
            (``'lesion'``, ``'normal'``); or those on which the cord is seen
            (``'cord'``).
        is_masked_only: Leave out images without a mask of the target, as segmentation
            has to.
        max_stretch: Leave out images whose pixels are longer than this many times
            their width on the plane, as those across thick slices; None for none.
        **kwargs: Those of ``VolumeSliceDataset``.

    Raises:
        ValueError: As there; also if the folder was prepared for the other target, a
            case names a class that does not exist, or ``max_stretch`` is below 1.
    """

    _indices: Any

    METAINFO = {  # noqa: RUF012  (the host's contract for a class attribute)
        'dataset': 'spine',
        'targets': {name: list(names) for name, names in SPINE_TARGETS.items()},
    }

    def __init__(
        self,
        *args: Any,
        target: str = 'cord',
        slices: str = 'all',
        is_masked_only: bool = False,
        max_stretch: float | None = None,
        metainfo: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if target not in _COLORS:
            raise ValueError(f'target is {target!r}, expected one of {[*_COLORS]}')
        if slices not in _SLICES:
            raise ValueError(f'slices is {slices!r}, expected one of {_SLICES}')
        if max_stretch is not None and max_stretch < 1:
            raise ValueError(f'max_stretch is {max_stretch}, expected >= 1 or None')
        self.target = target
        self.max_stretch = max_stretch
        self.is_masked_only = is_masked_only
        self._is_cord_only = slices == 'cord'
        facts = {
            'classes': ['background', target],
            'palette': [[0, 0, 0], _COLORS[target]],
        }
        super().__init__(
            *args,
            slices='all' if self._is_cord_only else slices,
            metainfo={**facts, **(metainfo or {})},
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """Entries of the selected images, in the order of the manifest."""
        entries = super().load_data_list()
        if self.is_masked_only:
            entries = [e for e in entries if e['seg_map_path'] is not None]
        if not entries:
            raise ValueError(
                f'{self.ann_file}: no image with a {self.target} mask in '
                f'{self.split_name!r}; choose another split or fold, or '
                'is_masked_only=False'
            )
        if self.max_stretch is not None:
            limit = self.max_stretch
            entries = [e for e in entries if max(s := e['spacing']) <= limit * min(s)]
        if not entries:
            raise ValueError(
                f'{self.ann_file}: no image in {self.split_name!r} has {self.plane} '
                f'slices of pixels stretched at most {limit} times; choose another '
                'plane or max_stretch=None'
            )
        return entries

    def full_init(self) -> None:
        """Read the manifest, once; the host calls this."""
        if self._fully_initialized:
            return
        wanted = self._indices
        if self._is_cord_only:
            self._indices = None  # counts the slices that are left
        super().full_init()
        if self._is_cord_only:
            self._table = self._table.take(np.flatnonzero(self._list_cord_pixels() > 0))
            if not len(self._table):
                raise ValueError(
                    f'{self.ann_file}: no {self.plane} slice in {self.split_name!r} '
                    "shows a cord; choose slices='all'"
                )
            if wanted is not None:
                self.get_subset_(wanted)

    @force_full_init
    def get_data_info(self, idx: int) -> dict:
        """Entry of one slice, without ``rng``; a plain index counts from the end."""
        results = super().get_data_info(idx)
        series: Mapping[str, str | None] = results.pop('series')
        table = results.pop('cord_table')
        pixels = None if table is None else table[results['slice_index']]
        names: dict[str, str | None] = {
            'anatomy': series['anatomy'],
            'location': series['location'],
            'view': self.plane,
            'location_view': join_location_view(
                series['anatomy'], series['location'], self.plane
            ),
            'sequence': series['sequence'],
            'cord': None if pixels is None else CORD[pixels > 0],
        }
        targets = {
            name: find_class_number(name, value) for name, value in names.items()
        }
        return results | {'cord_pixels': pixels, 'targets': targets}

    @force_full_init
    def get_column(self, name: str) -> np.ndarray:
        """One value of every slice; samplers of ours ask for it.

        Args:
            name: As for the parent, ``'cord_pixels'`` (-1 where unknown), or a target:
                its class numbers.

        Returns:
            Shape (n,).
        """
        if name == 'cord_pixels':
            return self._list_cord_pixels()
        if name == 'cord':
            pixels = self._list_cord_pixels()
            return np.where(pixels < 0, UNKNOWN, pixels > 0)
        if name not in SPINE_TARGETS:
            return super().get_column(name)
        numbers = []
        for volume in self._volumes:
            known = {**volume['series'], 'view': self.plane}
            known['location_view'] = join_location_view(
                known['anatomy'], known['location'], self.plane
            )
            numbers.append(find_class_number(name, known[name]))
        return np.array(numbers, np.int64)[self._table.volume]

    def _list_cord_pixels(self) -> np.ndarray:
        """Cord pixels of every slice, -1 where unknown, shape (n,)."""
        result = np.full(len(self._table), -1, np.int64)
        for row, volume in enumerate(self._volumes):
            if volume['cord_table'] is not None:
                at = self._table.volume == row
                result[at] = np.asarray(volume['cord_table'])[self._table.index[at]]
        return result

    def _to_entry(self, case: VolumeCase) -> dict[str, Any]:
        entry = super()._to_entry(case)
        is_cord = self.target == 'cord'
        path = entry['seg_map_path'] if is_cord else self._find_cord_path(case)
        return entry | {
            'volume_spacing': tuple(case.spacing),
            'series': self._read_targets(case),
            'cord_path': path,
            'cord_table': (
                entry['lesion_pixels'] if is_cord else self._find_cord_table(case)
            ),
        }

    def _read_targets(self, case: VolumeCase) -> dict[str, str | None]:
        """Class names of the series, checked."""
        known = case.extra.get('targets')
        if not isinstance(known, Mapping):
            raise ValueError(
                f'{self.ann_file}: {case.case_id!r} has no targets; prepare the data '
                'with the subject spine'
            )
        names = {name: known.get(name) for name in SERIES_TARGETS}
        try:
            for name, value in names.items():
                find_class_number(name, value)
        except ValueError as error:
            raise ValueError(f'{self.ann_file}: {case.case_id!r}: {error}') from error
        return names

    def _find_cord_path(self, case: VolumeCase) -> str:
        path = case.extra.get('cord_path')
        try:
            check_relative_path(path)
        except ValueError as error:
            raise ValueError(
                f'{self.ann_file}: {case.case_id!r}: cord_path: {error}; prepare the '
                'data with --target lesion'
            ) from error
        return os.path.join(self.data_root, *str(path).split('/'))

    def _find_cord_table(self, case: VolumeCase) -> list[int]:
        tables = case.extra.get('cord_pixels')
        pixels = tables.get(self.plane) if isinstance(tables, Mapping) else None
        count = count_slices(case.shape, self.plane)
        if (
            not isinstance(pixels, list)
            or len(pixels) != count
            or any(type(number) is not int or number < 0 for number in pixels)
        ):
            raise ValueError(
                f'{self.ann_file}: {case.case_id!r}: cord_pixels.{self.plane} are not '
                f'{count} numbers >= 0; prepare the data again'
            )
        return pixels
