"""Pictures with a class and no label map as files and manifest cases."""

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from mmmed.io import encode_image
from mmmed.preparation.parts import Record, Slice
from mmmed.preparation.storage import SliceStorage
from mmmed.preparation.workspace import Workspace
from mmmed.structures import Case, Manifest


class PictureStorage(SliceStorage):
    """As its parent, but all pictures of one size share one empty label map.

    A manifest of slices names a label map for each; a million files without content
    would tell nobody anything.
    """

    def store(self, item: Slice, space: Workspace | None) -> dict[str, Any]:
        """Encode a picture, write it unless this is a dry run, and describe it."""
        img = encode_image(item.image)
        height, width = item.image.shape[:2]
        seg, digest = _encode_empty(height, width)
        record = Record(
            case_id=item.case_id,
            patient_id=item.patient_id,
            slice_index=item.slice_index,
            height=height,
            width=width,
            spacing=item.spacing,
            foreground_pixels=0,
            sha256={'img': hashlib.sha256(img).hexdigest(), 'seg': digest},
            facts=item.facts,
        )
        if space:
            space.write(record.img_name, img)
            space.write(_name_empty(record), seg)
        return asdict(record)

    def list_files(self, record: Record) -> dict[str, str]:
        """Hash of each file of a record, by name in the workspace."""
        return {
            record.img_name: record.sha256['img'],
            _name_empty(record): record.sha256['seg'],
        }

    def make_case(
        self, record: Record, split: str, fold: int | None, extra: Mapping[str, Any]
    ) -> Case:
        """Manifest entry of a converted picture."""
        case = super().make_case(record, split, fold, extra)
        return replace(case, seg_map_path=f'masks/{_name_empty(record)}')

    def plan_links(self, manifest: Manifest) -> dict[str, str]:
        """Place in the output folder of each file in the workspace."""
        links = {f'{case.case_id}.img.png': case.img_path for case in manifest.cases}
        paths = {case.seg_map_path for case in manifest.cases}
        return links | {path.removeprefix('masks/'): path for path in sorted(paths)}


def _name_empty(record: Record) -> str:
    return f'empty_{record.height}x{record.width}.png'


@functools.lru_cache(maxsize=256)
def _encode_empty(height: int, width: int) -> tuple[bytes, str]:
    data = encode_image(np.zeros((height, width), np.uint8))
    return data, hashlib.sha256(data).hexdigest()
