"""MultiSequenceROIDataset: lesions in several sequences as a dataset.

Not here: opening the files (``mmmed.datasets.transforms.roi_loading``).
"""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.dataset import force_full_init

from mmmed.datasets.base_med_dataset import MedSegDataset
from mmmed.registry import DATASETS
from mmmed.structures.manifest import Manifest
from mmmed.structures.roi_case import ROICase
from mmmed.structures.split_manifest import SplitManifest

MISSING = -1


@DATASETS.register_module()
class MultiSequenceROIDataset(MedSegDataset):
    """The regions of interest that an ROI manifest lists, with class labels.

    Seeds and wrappers work as in
    :class:`~mmmed.datasets.base_med_dataset.MedSegDataset`. A recipe for other
    sequences is ``--cfg-options train_dataloader.dataset.sequences=[t2,adc]``.

    What the pipeline gets for one lesion: ``case_id``, ``patient_id``, ``split``,
    ``fold``, ``sequences`` (names, in order), ``img_paths``, ``grids`` and
    ``intensity`` (by sequence, of those that there are), ``centers_mm`` (likewise),
    ``normalisation`` (rule by sequence), ``targets`` (class index by name, -1 where
    the label is missing), ``size_mm`` (None where unknown), ``sha256``, ``extra``,
    ``sample_idx``, ``data_root``, ``seg_fields`` (empty), and ``rng``. The first
    transform is ``mmmed.LoadROISequences``.

    Args:
        data_root: Prepared folder.
        ann_file: Manifest of ROIs, relative to ``data_root``.
        sequences: Names, in the order of the network; None for all of the manifest.
        targets: Names; None for all of the manifest.
        role: ``'train'``, ``'val'``, ``'test'``, several joined by ``_`` such as
            ``'train_val'``, or None for all lesions.
        fold: Fold whose roles count; None for the hold-out partition, where
            ``'test'`` are the lesions outside of it.
        split_file: Split manifest of ``tools/make_splits.py``, relative to
            ``data_root``, instead of the split in the manifest.
        labelled: Keep only lesions with a label of at least one target.
        repeat: Copies of the list, so that an epoch has more iterations.
        **kwargs: Those of ``MedSegDataset``: ``seed`` and the host's.

    Raises:
        FileNotFoundError: The folder has no manifest, or there is no split file.
        ValueError: The manifest lists no ROIs, no lesion is selected, or a sequence
            or target is unknown.
    """

    UNIT = 'roi'

    def __init__(
        self,
        data_root: str,
        ann_file: str = 'manifest.json',
        *,
        sequences: Sequence[str] | None = None,
        targets: Sequence[str] | None = None,
        role: str | None = None,
        fold: int | None = None,
        split_file: str | None = None,
        labelled: bool = False,
        repeat: int = 1,
        **kwargs: Any,
    ) -> None:
        if repeat < 1:
            raise ValueError(f'repeat is {repeat}, expected >= 1')
        self.role = role
        self.split_file = split_file
        self.labelled = labelled
        self.repeat = repeat
        self.sequences = None if sequences is None else tuple(sequences)
        self.targets = None if targets is None else tuple(targets)
        super().__init__(data_root, ann_file, fold=fold, **kwargs)

    @property
    def split_name(self) -> str:
        """Label of the selected lesions, e.g. 'all', 'val' or 'val-fold0'."""
        if self.role is None:
            return 'all'
        return self.role if self.fold is None else f'{self.role}-fold{self.fold}'

    def load_data_list(self) -> list[dict]:
        """Entries of the selected lesions, in the order of the manifest."""
        manifest = self._read_manifest()
        if self.split_file is not None:
            path = os.path.join(self.data_root, self.split_file)
            manifest = manifest.with_split(SplitManifest.read(path))
        self.sequences = self._choose('sequences', self.sequences, manifest)
        self.targets = self._choose('targets', self.targets, manifest)
        self._describe(manifest)
        cases: tuple[ROICase, ...] = manifest.cases
        if self.role is not None:
            cases = manifest.select_role(self.role, self.fold)
        entries = [self._to_entry(case) for case in cases]
        if self.labelled:
            entries = [e for e in entries if max(e['targets'].values()) > MISSING]
        if not entries:
            raise ValueError(
                f'{self.ann_file}: no lesion in {self.split_name!r} '
                f'(of {len(manifest.cases)}); choose another role or fold, or prepare '
                'the data with fewer folds'
            )
        return entries * self.repeat

    def get_cat_ids(self, idx: int) -> list[int]:
        """Class of the first target; none where its label is missing."""
        label = self.get_data_info(int(idx))['targets'][self._first_target()]
        return [] if label == MISSING else [label]

    def is_positive(self, idx: int) -> bool:
        """Whether the class of the first target is not 0."""
        return self.get_data_info(int(idx))['targets'][self._first_target()] > 0

    @force_full_init
    def get_labels(self, target: str) -> np.ndarray:
        """Class index of every lesion, -1 where the label is missing.

        Args:
            target: One of ``targets``.

        Returns:
            Shape (n,), int64; no image is opened.
        """
        if target not in self._metainfo['targets']:
            raise ValueError(
                f'no target {target!r}, expected one of {self._metainfo["targets"]}'
            )
        infos = (self.get_data_info(index) for index in range(len(self)))
        return np.array([info['targets'][target] for info in infos], np.int64)

    def _first_target(self) -> str:
        return next(iter(self._metainfo['targets']))

    def _choose(
        self, kind: str, wanted: tuple[str, ...] | None, manifest: Manifest
    ) -> tuple[str, ...]:
        known = tuple(manifest.metainfo[kind])
        if wanted is None:
            return known
        unknown = [name for name in wanted if name not in known]
        if unknown or not wanted or len(set(wanted)) < len(wanted):
            raise ValueError(
                f'{self.ann_file}: {kind} {list(wanted)}, expected different names of '
                f'{", ".join(known)}'
            )
        return wanted

    def _describe(self, manifest: Manifest) -> None:
        assert self.sequences is not None
        assert self.targets is not None
        meta = manifest.metainfo
        rules = meta.get('normalisation', {})
        facts = {
            **meta,
            'sequences': list(self.sequences),
            'channels': len(self.sequences),
            'targets': {name: list(meta['targets'][name]) for name in self.targets},
            'normalisation': {n: rules[n] for n in self.sequences if n in rules},
            'split_hash': manifest.split_hash,
        }
        # As for 2-D data sets: what the caller has set stays.
        for key, value in facts.items():
            self._metainfo.setdefault(key, value)

    def _to_entry(self, case: ROICase) -> dict[str, Any]:
        assert self.sequences is not None
        assert self.targets is not None
        names = [name for name in self.sequences if name in case.img_paths]
        extra = dict(case.extra)
        intensity = extra.pop('intensity', {})
        centers = extra.get('source', {}).get('centers_mm', {})
        labels = {name: case.targets[name] for name in self.targets}
        return {
            'case_id': case.case_id,
            'patient_id': case.patient_id,
            'split': case.split,
            'fold': case.fold,
            'sequences': self.sequences,
            'img_paths': {
                name: os.path.join(self.data_root, *case.img_paths[name].split('/'))
                for name in names
            },
            'grids': {name: case.grids[name].to_dict() for name in names},
            'intensity': {name: intensity.get(name) for name in names},
            'centers_mm': {name: centers[name] for name in names if name in centers},
            'targets': {
                name: MISSING if label is None else label
                for name, label in labels.items()
            },
            'size_mm': case.size_mm,
            'sha256': {name: case.sha256[name] for name in names},
            'extra': extra,
            'seg_fields': [],
        }

    def get_data_info(self, idx: int) -> dict:
        """Entry of one lesion, without ``rng``; a plain index counts from the end."""
        results = super().get_data_info(idx)
        results['normalisation'] = self._metainfo.get('normalisation', {})
        return results
