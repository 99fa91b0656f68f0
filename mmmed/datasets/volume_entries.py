"""What every dataset of volumes says of a case, whole volumes or their slices.

Not here: what belongs to one of the two alone (``volume_dataset``,
``volume_slice_dataset``).
"""

import os
from collections.abc import Sequence
from typing import Any

from mmmed.structures import VolumeCase


def make_volume_entry(
    case: VolumeCase, names: Sequence[str] | None, *, data_root: str, ann_file: str
) -> dict[str, Any]:
    """Facts of a case, with absolute paths.

    Args:
        case: Entry of the manifest.
        names: Sequences to load, in the order of the channels; None for all.
        data_root: Folder that the paths of the case start from.
        ann_file: Manifest, for messages.

    Raises:
        ValueError: The case lacks one of the sequences.
    """
    names = tuple(case.img_paths) if names is None else tuple(names)
    missing = [name for name in names if name not in case.img_paths]
    if missing:
        raise ValueError(
            f'{ann_file}: {case.case_id!r} has no sequence '
            f'{", ".join(missing)}, only {", ".join(case.img_paths)}'
        )

    def locate(path: str) -> str:
        return os.path.join(data_root, *path.split('/'))

    seg_path = case.seg_map_path
    paths = tuple(locate(case.img_paths[name]) for name in names)
    return {
        'patient_id': case.patient_id,
        'split': case.split,
        'fold': case.fold,
        'img_path': paths[0],
        'img_paths': paths,
        'seg_map_path': None if seg_path is None else locate(seg_path),
        'volume_shape': tuple(case.shape),
        'sha256': {
            'img': tuple(case.sha256[name] for name in names),
            'seg': case.sha256.get('seg'),
        },
    }
