"""Converted lesions to files, journal records and manifest cases.

The twin of ``volume_storage`` for regions of interest: one ``.npy`` a sequence, on a
grid of its own, to be mapped.
"""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.preparation.workspace import Workspace
from mmmed.structures import Manifest, ROICase, ROIGrid

_FOLDER = 'rois'


@dataclass(frozen=True)
class ROIItem:
    """One converted lesion, not yet written.

    Args:
        case_id: Unique name.
        patient_id: Person.
        images: Array (Z, Y, X) of each sequence.
        grids: Grid of each.
        size_mm: Diameter of the lesion; None where unknown.
        facts: Whatever the preparer counts, as JSON.
    """

    case_id: str
    patient_id: str
    images: Mapping[str, NDArray]
    grids: Mapping[str, ROIGrid]
    size_mm: float | None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ROIRecord:
    """What is known of a lesion once its files are written."""

    case_id: str
    patient_id: str
    grids: Mapping[str, Mapping[str, Any]]
    size_mm: float | None
    sha256: Mapping[str, str]
    facts: Mapping[str, Any]


class ROIStorage:
    """How the flow of a preparation keeps lesions; see ``storage.Storage``."""

    def store(self, item: ROIItem, space: Workspace | None) -> dict[str, Any]:
        """Write the arrays of an item unless this is a dry run, and describe it."""
        content = {name: _encode(array) for name, array in item.images.items()}
        record = ROIRecord(
            case_id=item.case_id,
            patient_id=item.patient_id,
            grids={name: grid.to_dict() for name, grid in item.grids.items()},
            size_mm=item.size_mm,
            sha256={k: hashlib.sha256(data).hexdigest() for k, data in content.items()},
            facts=item.facts,
        )
        if space:
            for name, data in content.items():
                space.write(_name_file(item.case_id, name), data)
        return asdict(record)

    def load(self, item: Mapping[str, Any]) -> ROIRecord:
        """Record from its journal entry."""
        return ROIRecord(**item)

    def list_files(self, record: ROIRecord) -> dict[str, str]:
        """Hash of each file that a record stands for, by name in the workspace."""
        return {_name_file(record.case_id, k): v for k, v in record.sha256.items()}

    def make_case(
        self, record: ROIRecord, split: str, fold: int | None, extra: Mapping[str, Any]
    ) -> ROICase:
        """Manifest entry of a converted lesion; ``targets`` come with ``extra``."""
        extra = dict(extra)
        return ROICase(
            case_id=record.case_id,
            patient_id=record.patient_id,
            split=split,
            fold=fold,
            img_paths={k: _name_place(record.case_id, k) for k in record.sha256},
            grids={
                name: ROIGrid.from_dict(grid, where=record.case_id)
                for name, grid in record.grids.items()
            },
            size_mm=record.size_mm,
            targets=extra.pop('targets'),
            sha256=record.sha256,
            extra=extra,
        )

    def plan_links(self, manifest: Manifest) -> dict[str, str]:
        """Place in the output folder of each file in the workspace."""
        return {
            _name_file(case.case_id, name): path
            for case in manifest.cases
            for name, path in case.img_paths.items()
        }


def _name_file(case_id: str, sequence: str) -> str:
    return f'{case_id}.{sequence}.npy'


def _name_place(case_id: str, sequence: str) -> str:
    return f'{_FOLDER}/{case_id}/{sequence}.npy'


def _encode(array: NDArray) -> bytes:
    """A ``.npy`` file in C order; equal arrays give equal bytes."""
    stream = io.BytesIO()
    np.save(stream, np.ascontiguousarray(array), allow_pickle=False)
    return stream.getvalue()
