"""PictureClassDataset: pictures with class labels and no label map."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from mmengine.dataset import force_full_init

from mmmed.datasets.base_med_dataset import MedSegDataset
from mmmed.registry import DATASETS
from mmmed.structures.manifest import Manifest
from mmmed.structures.spine_classes import UNKNOWN


@DATASETS.register_module()
class PictureClassDataset(MedSegDataset):
    """Pictures that ``tools/prepare_dataset.py picture-classes`` prepared.

    As :class:`~mmmed.datasets.base_med_dataset.MedSegDataset`, but ``seg_map_path`` is
    None, and ``targets`` has the class number of each target, -1 where unknown;
    ``metainfo['targets']`` has the class names, index = number.

    RadImageNet (Mei X., Liu Z., Robson P. M. et al. RadImageNet: an open radiologic
    deep learning research dataset for effective transfer learning. Radiology:
    Artificial Intelligence 4(5):e210315, 2022, doi:10.1148/ryai.210315) is one such:
    1.35 million CT, MR and ultrasound pictures, 165 classes, on request from its
    authors; never passed on with this package.

    Known defects:
        - Pictures of RadImageNet do not say whose they are: without a table of
          patients its splits are by file and may leak
          (``metainfo['patients_told_by']`` is ``'files'``).

    Args:
        **kwargs: Those of ``MedSegDataset``.

    Raises:
        ValueError: As there; also if a case has a class that ``metainfo`` does not
            list.
    """

    METAINFO = {  # noqa: RUF012  (the host's contract for a class attribute)
        'dataset': 'picture-classes',
        'classes': ['background', 'foreground'],
    }

    def get_cat_ids(self, idx: int) -> list[int]:
        """Class number of the first target; mmengine's ``ClassBalancedDataset`` asks.

        A picture of unknown class gives none.
        """
        number = next(iter(self.get_data_info(idx)['targets'].values()))
        return [] if number == UNKNOWN else [number]

    @force_full_init
    def get_column(self, name: str) -> np.ndarray:
        """Class number of every picture for a target, shape (n,)."""
        known = self._metainfo['targets']
        if name not in known:
            raise ValueError(f'no column {name!r}, expected one of {list(known)}')
        numbers = (self.get_data_info(i)['targets'][name] for i in range(len(self)))
        return np.fromiter(numbers, np.int64, len(self))

    def _read_manifest(self) -> Manifest:
        manifest = super()._read_manifest()
        _check_targets(manifest.metainfo.get('targets'), self.ann_file)
        return manifest

    def _to_entry(self, case: Any) -> dict[str, Any]:
        entry = super()._to_entry(case)
        names = entry.get('targets')
        if not isinstance(names, Mapping):
            raise ValueError(f'{self.ann_file}: {case.case_id!r} has no targets')
        numbers = {}
        for target, classes in self._metainfo['targets'].items():
            name = names.get(target)
            if name is not None and name not in classes:
                raise ValueError(
                    f'{self.ann_file}: {case.case_id!r}: class {name!r} of {target}, '
                    f'expected one of {classes}'
                )
            numbers[target] = UNKNOWN if name is None else classes.index(name)
        return entry | {'seg_map_path': None, 'positive': None, 'targets': numbers}


def _check_targets(targets: Any, where: str) -> None:
    """Refuse what does not list class names of at least one target."""
    good = isinstance(targets, Mapping) and bool(targets)
    if not good or not all(
        isinstance(names, list)
        and names
        and all(isinstance(n, str) for n in names)
        and len(set(names)) == len(names)
        for names in targets.values()
    ):
        raise ValueError(
            f'{where}: metainfo.targets is {targets!r:.200}, expected lists of '
            'different class names; prepare the data with the subject picture-classes'
        )
