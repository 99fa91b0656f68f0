"""VolumeDataset: whole prepared volumes as a dataset.

Not here: slices of volumes (``volume_slice_dataset``), opening the files
(``mmmed.datasets.transforms.volume_loading``).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.dataset import force_full_init

from mmmed.datasets.base_med_dataset import MedSegDataset
from mmmed.datasets.volume_entries import make_volume_entry
from mmmed.registry import DATASETS
from mmmed.structures.volume_case import VolumeCase


@DATASETS.register_module()
class VolumeDataset(MedSegDataset):
    """The volumes that a volume manifest lists.

    Splits and folds, seeds and wrappers work as in
    :class:`~mmmed.datasets.base_med_dataset.MedSegDataset`.

    What the pipeline gets for one volume: ``case_id``, ``patient_id``, ``split``,
    ``fold``, ``img_paths`` (absolute, one a sequence), ``img_path`` (the first),
    ``seg_map_path`` (absolute, or None), ``volume_shape`` (Z, Y, X), ``spacing``
    (Z, Y, X) in mm, ``affine`` (4 x 4, array index to RAS+ mm), ``foreground_voxels``
    and ``positive`` (None without labels), ``sha256``, ``extra`` (columns of the
    subject at hand), ``sample_idx``, ``data_root``, ``channels``, the host's fields,
    and ``rng``. The first transform is ``mmmed.LoadVolume`` or
    ``mmmed.LoadVolumePatch``.

    Args:
        data_root: Prepared folder.
        ann_file: Manifest of volumes, relative to ``data_root``.
        sequences: Names in ``img_paths`` that become channels; None for all that
            ``channel_names`` of the manifest lists.
        with_label: Keep only volumes that show this class, e.g. real tumors; None for
            all. This, and the next two, read ``label_voxels`` of the manifest, the
            voxels of each class.
        without_label: Keep only volumes that do not show this class.
        positive_label: Class that makes a volume ``positive``, so that a
            ``mmmed.ForegroundSampler`` mixes volumes with and without it at a fixed
            ratio; None for any.
        folds_on: What the folds of the manifest have to divide: ``'train'`` where the
            cases of a fold choose a checkpoint and the hold-out side is reported, so
            that no fold holds a case of it; None for anything.
        repeat: Copies of the list, so that an epoch holds that many patches of every
            volume.
        **kwargs: Those of ``MedSegDataset``: ``split``, ``fold``, ``seed`` and the
            host's.

    Raises:
        FileNotFoundError: The folder has no manifest.
        ValueError: It lists slices and not volumes, no volume is selected, one lacks
            a sequence, its folds divide other cases than ``folds_on``, or an option is
            out of range.
    """

    UNIT = 'volume'

    def __init__(
        self,
        data_root: str,
        ann_file: str = 'manifest.json',
        *,
        sequences: Sequence[str] | None = None,
        with_label: int | None = None,
        without_label: int | None = None,
        positive_label: int | None = None,
        folds_on: str | None = None,
        repeat: int = 1,
        **kwargs: Any,
    ) -> None:
        if repeat < 1:
            raise ValueError(f'repeat is {repeat}, expected >= 1')
        self.sequences = None if sequences is None else tuple(sequences)
        self.with_label = with_label
        self.without_label = without_label
        self.positive_label = positive_label
        self.folds_on = folds_on
        self.repeat = repeat
        super().__init__(data_root, ann_file, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Entries of the selected volumes, in the order of the manifest."""
        entries = [entry for entry in super().load_data_list() if self._is_kept(entry)]
        divided = self._metainfo.get('folds_on', 'all')
        if self.folds_on not in (None, divided):
            raise ValueError(
                f'{self.ann_file}: folds divide {divided!r} cases, expected '
                f'{self.folds_on!r}; prepare the data with --folds-on {self.folds_on}'
            )
        if not entries:
            raise ValueError(
                f'{self.ann_file}: no volume in {self.split_name!r} with_label='
                f'{self.with_label} and without_label={self.without_label}'
            )
        label = self.positive_label
        if label is not None:
            for entry in entries:
                entry['positive'] = self._count(entry, label) > 0
        return entries * self.repeat

    def get_data_info(self, idx: int) -> dict:
        """Entry of one volume, without ``rng``; a plain index counts from the end."""
        results = super().get_data_info(idx)
        results['channels'] = len(results['img_paths'])
        return results

    def is_positive(self, idx: int) -> bool:
        """Whether a volume has foreground, without opening it."""
        return bool(self.get_data_info(int(idx))['positive'])

    @force_full_init
    def get_column(self, name: str) -> np.ndarray:
        """One value of every volume; samplers of ours ask for it.

        Args:
            name: ``'foreground_pixels'`` (voxels, -1 where unknown) or
                ``'pixel_area_mm2'`` (volume of a voxel in mm3).

        Returns:
            Shape (n,).
        """
        infos = [self.get_data_info(index) for index in range(len(self))]
        if name == 'foreground_pixels':
            counts = [info['foreground_voxels'] for info in infos]
            return np.array([-1 if count is None else count for count in counts])
        if name == 'pixel_area_mm2':
            return np.array([np.prod(info['spacing']) for info in infos])
        raise ValueError(
            f'no column {name!r}, expected foreground_pixels or pixel_area_mm2'
        )

    def _to_entry(self, case: VolumeCase) -> dict[str, Any]:
        entry = make_volume_entry(
            case,
            self.sequences or self._metainfo.get('channel_names'),
            data_root=self.data_root,
            ann_file=self.ann_file,
        )
        return entry | {
            'case_id': case.case_id,
            'spacing': tuple(case.spacing),
            'affine': case.affine,
            'foreground_voxels': case.foreground_voxels,
            'positive': case.positive,
            'extra': dict(case.extra),
            'seg_fields': [],
            'reduce_zero_label': False,
            'label_map': None,
        }

    def _is_kept(self, entry: dict[str, Any]) -> bool:
        for label, is_wanted in ((self.with_label, True), (self.without_label, False)):
            if label is not None and (self._count(entry, label) > 0) != is_wanted:
                return False
        return True

    def _count(self, entry: dict[str, Any], label: int) -> int:
        """Voxels of a class in one volume; a volume without labels shows none."""
        if entry['seg_map_path'] is None:
            return 0
        counts = entry['extra'].get('label_voxels')
        if not isinstance(counts, list | tuple) or not 0 <= label < len(counts):
            raise ValueError(
                f'{self.ann_file}: {entry["case_id"]!r} has no label_voxels of class '
                f'{label}; prepare the data again, or select by split alone'
            )
        return int(counts[label])
