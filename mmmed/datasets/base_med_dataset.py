"""MedSegDataset: a prepared folder as a dataset of the host.

Not here: facts about one data set (one module each beside this), the preparation of
the folder (``mmmed.preparation``), or opening images (``mmmed.datasets.transforms``).
"""

import os
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset

from mmmed.datasets.draw import Draw
from mmmed.registry import DATASETS
from mmmed.structures.manifest import Manifest

# Okabe & Ito's colours, which stay apart for colour-blind readers; background black.
_COLORS = (
    (0, 0, 0),
    (213, 94, 0),
    (86, 180, 233),
    (240, 228, 66),
    (0, 158, 115),
    (204, 121, 167),
    (230, 159, 0),
    (0, 114, 178),
)


@DATASETS.register_module()
class MedSegDataset(BaseDataset):
    """Labelled 2-D images listed by the manifest of a prepared folder.

    A subclass holds METAINFO and a docstring, nothing else. What the pipeline gets
    for one image: ``img_path``, ``seg_map_path`` (absolute), ``case_id``,
    ``patient_id``, ``slice_index``, ``split``, ``fold``, ``spacing`` ((Y, X) in mm
    or None), ``positive``, ``foreground_pixels``, ``sha256``, ``sample_idx``,
    ``data_root``, ``channels``, the host's ``seg_fields``, ``reduce_zero_label`` and
    ``label_map``, and ``rng``, the only source of randomness for transforms.

    Args:
        data_root: Prepared folder.
        ann_file: Manifest, relative to ``data_root``.
        split: ``'train'``, ``'val'``, or None for all cases.
        fold: None for the hold-out split; k to train on the cases of all folds but k
            (``split='train'``) or to validate on those of fold k (``split='val'``).
        seed: Shifts the random numbers of the transforms, >= 0. With a sampler that
            yields :class:`~mmmed.datasets.draw.Draw` they follow from this seed, the
            sampler's seed and the position in its stream. With plain indices they
            follow from seed and index in test mode, and in training from NumPy's
            global state, which differs between workers.
        **kwargs: Those of ``mmengine.dataset.BaseDataset``.

    Raises:
        FileNotFoundError: The folder has no manifest; the message names the command
            that makes one.
        ValueError: No case is selected, the classes are not those of METAINFO, or the
            manifest lists volumes.
    """

    # What a case of the manifest has to be.
    UNIT = 'slice'

    def __init__(
        self,
        data_root: str,
        ann_file: str = 'manifest.json',
        *,
        split: str | None = None,
        fold: int | None = None,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        if seed < 0:
            raise ValueError(f'seed is {seed}, expected an integer >= 0')
        self.split = split
        self.fold = fold
        self.seed = seed
        # Absolute, so that a worker that changes its folder still finds the files.
        root = os.path.abspath(data_root)
        super().__init__(ann_file=ann_file, data_root=root, **kwargs)

    @property
    def split_name(self) -> str:
        """Label of the selected cases, e.g. 'all', 'train', 'val' or 'val-fold0'."""
        if self.split is None:
            return 'all'
        return self.split if self.fold is None else f'{self.split}-fold{self.fold}'

    def load_data_list(self) -> list[dict]:
        """Entries of the selected cases, in the order of the manifest."""
        manifest = self._read_manifest()
        for key, value in manifest.metainfo.items():
            self._metainfo.setdefault(key, value)
        self._metainfo.setdefault('palette', self._default_palette())
        self._check_classes(manifest)
        cases = manifest.select(split=self.split, fold=self.fold)
        if not cases:
            raise ValueError(
                f'{self.ann_file}: no case in {self.split_name!r} '
                f'(of {len(manifest.cases)}); prepare the data with another '
                '--val-ratio or --folds, or choose another split or fold'
            )
        return [self._to_entry(case) for case in cases]

    def prepare_data(self, idx: int) -> Any:
        """One sample through the pipeline, with its own random generator."""
        results = self.get_data_info(idx)
        results['rng'] = self._make_rng(idx)
        return self.pipeline(results)

    def is_positive(self, idx: int) -> bool:
        """Whether the label map of a case has foreground, without opening it."""
        return self.get_data_info(int(idx))['positive']

    def get_cat_ids(self, idx: int) -> list[int]:
        """Background and, where there is any, foreground: [0] or [0, 1].

        The manifest counts foreground without its classes, so with several of them
        the 1 stands for any. MMEngine's ``ClassBalancedDataset`` asks for this.
        """
        return [0, 1] if self.is_positive(idx) else [0]

    def get_data_info(self, idx: int) -> dict:
        """Entry of one case, without ``rng``; a plain index counts from the end."""
        results = super().get_data_info(int(idx))
        results['data_root'] = self.data_root
        results['channels'] = self._metainfo['channels']
        return results

    def _read_manifest(self) -> Manifest:
        if not os.path.isfile(self.ann_file):
            name = self.METAINFO.get('dataset', 'DATASET')
            raise FileNotFoundError(
                f'no manifest at {self.ann_file}; prepare the data first: '
                f'python tools/prepare_dataset.py {name} RAW_FOLDER '
                f'--out {self.data_root}'
            )
        manifest = Manifest.read(self.ann_file)
        if manifest.unit != self.UNIT:
            raise ValueError(
                f'{self.ann_file}: cases are {manifest.unit}s, {type(self).__name__} '
                f'takes {self.UNIT}s; volumes need mmmed.VolumeSliceDataset or its '
                'subclasses, slices mmmed.MedSegDataset'
            )
        return manifest

    def _check_classes(self, manifest: Manifest) -> None:
        ours = list(self._metainfo['classes'])
        theirs = list(manifest.metainfo['classes'])
        if ours != theirs:
            raise ValueError(
                f'{self.ann_file}: classes are {theirs}, {type(self).__name__} '
                f'expects {ours}; data_root points at another data set'
            )

    def _default_palette(self) -> list[list[int]]:
        count = len(self._metainfo['classes'])
        # Colours repeat beyond eight classes, but never the background's.
        chosen = [0, *(1 + k % (len(_COLORS) - 1) for k in range(count - 1))]
        return [list(_COLORS[k]) for k in chosen]

    def _to_entry(self, case: Any) -> dict[str, Any]:
        entry = case.to_dict()
        for key in ('img_path', 'seg_map_path'):
            entry[key] = os.path.join(self.data_root, *entry[key].split('/'))
        return entry | {'seg_fields': [], 'reduce_zero_label': False, 'label_map': None}

    def _make_rng(self, idx: int) -> np.random.Generator:
        key: tuple[int, ...]
        if isinstance(idx, Draw):
            key = (self.seed, idx.seed, idx.draw)
        elif self.test_mode:
            key = (self.seed, int(idx) % len(self))
        else:
            # No position in a stream is known: follow the seed of the worker.
            key = (self.seed, *map(int, np.random.randint(2**31, size=2)))
        return np.random.default_rng(np.random.SeedSequence(key))
