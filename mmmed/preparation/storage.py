"""Converted slices to files, journal records and manifest cases."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from mmmed.io import encode_image
from mmmed.preparation.parts import Record, Slice
from mmmed.preparation.workspace import Workspace
from mmmed.structures import Case, Manifest


def store_slice(slice_: Slice, space: Workspace | None) -> Record:
    """Encode a slice, write it unless this is a dry run, and describe it."""
    img, seg = encode_image(slice_.image), encode_image(slice_.label)
    height, width = slice_.label.shape
    record = Record(
        case_id=slice_.case_id,
        patient_id=slice_.patient_id,
        slice_index=slice_.slice_index,
        height=height,
        width=width,
        spacing=slice_.spacing,
        foreground_pixels=int(np.count_nonzero(slice_.label)),
        sha256={
            'img': hashlib.sha256(img).hexdigest(),
            'seg': hashlib.sha256(seg).hexdigest(),
        },
        facts=slice_.facts,
    )
    if space:
        space.write(record.img_name, img)
        space.write(record.seg_name, seg)
    return record


def make_case(record: Record, split: str, fold: int, extra: Mapping[str, Any]) -> Case:
    """Manifest entry of a converted slice."""
    spacing = record.spacing
    return Case(
        case_id=record.case_id,
        patient_id=record.patient_id,
        slice_index=record.slice_index,
        img_path=f'images/{split}/{record.case_id}.png',
        seg_map_path=f'masks/{split}/{record.case_id}.png',
        split=split,
        fold=fold,
        height=record.height,
        width=record.width,
        spacing=None if spacing is None else (spacing[0], spacing[1]),
        foreground_pixels=record.foreground_pixels,
        positive=record.foreground_pixels > 0,
        sha256=record.sha256,
        extra=extra,
    )


def is_whole(entry: Mapping[str, Any], space: Workspace) -> bool:
    """Whether all files of a journal entry are there, unharmed."""
    try:
        records = [Record(**item) for item in entry['records']]
    except (KeyError, TypeError):  # written by another version
        return False
    return all(
        space.holds(r.img_name, r.sha256['img'])
        and space.holds(r.seg_name, r.sha256['seg'])
        for r in records
    )


def plan_links(manifest: Manifest) -> dict[str, str]:
    """Place in the output folder of each file in the workspace."""
    links = {f'{case.case_id}.img.png': case.img_path for case in manifest.cases}
    return links | {f'{c.case_id}.seg.png': c.seg_map_path for c in manifest.cases}
