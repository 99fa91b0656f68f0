"""Converted slices to files, journal records and manifest cases.

The twin for volumes is ``volume_storage``.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np

from mmmed.io import encode_image
from mmmed.preparation.parts import Record, Slice
from mmmed.preparation.workspace import Workspace
from mmmed.structures import Case, Manifest


class Storage(Protocol):
    """How the flow of a preparation keeps what was converted."""

    def store(self, item: Any, space: Workspace | None) -> dict[str, Any]:
        """Write one converted item unless this is a dry run; its record as JSON."""

    def load(self, item: Mapping[str, Any]) -> Any:
        """Record from JSON; TypeError if another version wrote it."""

    def list_files(self, record: Any) -> dict[str, str]:
        """Hash of each file of a record, by name in the workspace."""

    def make_case(
        self, record: Any, split: str, fold: int | None, extra: Mapping[str, Any]
    ) -> Any:
        """Manifest entry of a record."""

    def plan_links(self, manifest: Manifest) -> dict[str, str]:
        """Place in the output folder of each file in the workspace."""


class SliceStorage:
    """Images and label maps as PNG, one pair a slice."""

    def store(self, item: Slice, space: Workspace | None) -> dict[str, Any]:
        """Encode a slice, write it unless this is a dry run, and describe it."""
        img, seg = encode_image(item.image), encode_image(item.label)
        height, width = item.label.shape
        record = Record(
            case_id=item.case_id,
            patient_id=item.patient_id,
            slice_index=item.slice_index,
            height=height,
            width=width,
            spacing=item.spacing,
            foreground_pixels=int(np.count_nonzero(item.label)),
            sha256={
                'img': hashlib.sha256(img).hexdigest(),
                'seg': hashlib.sha256(seg).hexdigest(),
            },
            facts=item.facts,
        )
        if space:
            space.write(record.img_name, img)
            space.write(record.seg_name, seg)
        return asdict(record)

    def load(self, item: Mapping[str, Any]) -> Record:
        """Record from its journal entry."""
        return Record(**item)

    def list_files(self, record: Record) -> dict[str, str]:
        """Hash of each file of a record, by name in the workspace."""
        return {
            record.img_name: record.sha256['img'],
            record.seg_name: record.sha256['seg'],
        }

    def make_case(
        self, record: Record, split: str, fold: int | None, extra: Mapping[str, Any]
    ) -> Case:
        """Manifest entry of a converted slice."""
        if fold is None:
            raise ValueError(f'case {record.case_id!r} has no fold, expected one')
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

    def plan_links(self, manifest: Manifest) -> dict[str, str]:
        """Place in the output folder of each file in the workspace."""
        links = {f'{case.case_id}.img.png': case.img_path for case in manifest.cases}
        return links | {f'{c.case_id}.seg.png': c.seg_map_path for c in manifest.cases}


def is_whole(entry: Mapping[str, Any], space: Workspace, storage: Storage) -> bool:
    """Whether all files of a journal entry are there, unharmed."""
    try:
        records = [storage.load(item) for item in entry['records']]
    except (KeyError, TypeError):  # written by another version
        return False
    return all(
        space.holds(name, value)
        for record in records
        for name, value in storage.list_files(record).items()
    )
