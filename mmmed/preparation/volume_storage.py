"""Converted volumes to files, journal records and manifest cases.

The twin of ``storage``, which does the same for slices. Two forms: memory maps for
those who cut slices, compressed chunks for those who cut boxes.
"""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.packed_bits import pack_mask
from mmmed.io.chunked import encode_chunked
from mmmed.preparation.workspace import Workspace
from mmmed.structures import Manifest, VolumeCase

_FOLDER = 'volumes'


@dataclass(frozen=True)
class VolumeItem:
    """One converted examination, not yet written.

    Args:
        case_id: Unique name.
        patient_id: Person.
        images: Array (Z, Y, X) of each sequence, all on one grid.
        mask: (Z, Y, X) boolean, or the label map as uint8; None without one.
        spacing: (Z, Y, X) in mm.
        affine: Index (z, y, x) to RAS+ mm, shape (4, 4).
        facts: Whatever the preparer counts, as JSON.
    """

    case_id: str
    patient_id: str
    images: Mapping[str, NDArray]
    mask: NDArray | None
    spacing: tuple[float, float, float]
    affine: NDArray[np.float64]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class VolumeRecord:
    """What is known of an examination once its files are written."""

    case_id: str
    patient_id: str
    shape: Sequence[int]
    spacing: Sequence[float]
    affine: Sequence[Sequence[float]]
    foreground_voxels: int | None
    sha256: Mapping[str, str]
    facts: Mapping[str, Any]


class VolumeStorage:
    """How the flow of a preparation keeps volumes; see ``storage.SliceStorage``.

    Arrays become ``.npy`` files, to be mapped; of masks the bits are packed.
    """

    suffix: ClassVar[str] = '.npy'

    def encode_image(self, array: NDArray) -> bytes:
        """File of one sequence; equal arrays give equal bytes."""
        return _encode(array)

    def encode_mask(self, mask: NDArray) -> bytes:
        """File of the mask."""
        return _encode(pack_mask(mask))

    def name_file(self, case_id: str, key: str) -> str:
        """Name in the workspace of a sequence's file, or of the mask's (``'seg'``)."""
        return f'{case_id}.{key}{self.suffix}'

    def store(self, item: VolumeItem, space: Workspace | None) -> dict[str, Any]:
        """Write the arrays of an item unless this is a dry run, and describe it."""
        content = {key: self.encode_image(a) for key, a in item.images.items()}
        if item.mask is not None:
            content['seg'] = self.encode_mask(item.mask)
        record = VolumeRecord(
            case_id=item.case_id,
            patient_id=item.patient_id,
            shape=list(next(iter(item.images.values())).shape),
            spacing=list(item.spacing),
            affine=np.asarray(item.affine).tolist(),
            foreground_voxels=(
                None if item.mask is None else int(np.count_nonzero(item.mask))
            ),
            sha256={k: hashlib.sha256(data).hexdigest() for k, data in content.items()},
            facts=item.facts,
        )
        if space:
            for key, data in content.items():
                space.write(self.name_file(item.case_id, key), data)
        return asdict(record)

    def load(self, item: Mapping[str, Any]) -> VolumeRecord:
        """Record from its journal entry."""
        return VolumeRecord(**item)

    def list_files(self, record: VolumeRecord) -> dict[str, str]:
        """Hash of each file that a record stands for, by name in the workspace."""
        return {self.name_file(record.case_id, k): v for k, v in record.sha256.items()}

    def make_case(
        self,
        record: VolumeRecord,
        split: str,
        fold: int | None,
        extra: Mapping[str, Any],
    ) -> VolumeCase:
        """Manifest entry of a converted examination."""
        folder = f'{_FOLDER}/{record.case_id}'
        depth, height, width = record.shape
        count = record.foreground_voxels
        z, y, x = record.spacing
        return VolumeCase(
            case_id=record.case_id,
            patient_id=record.patient_id,
            split=split,
            fold=fold,
            img_paths={
                k: f'{folder}/{k}{self.suffix}' for k in record.sha256 if k != 'seg'
            },
            seg_map_path=None if count is None else f'{folder}/seg{self.suffix}',
            shape=(depth, height, width),
            spacing=(z, y, x),
            affine=tuple(tuple(row) for row in record.affine),
            foreground_voxels=count,
            positive=None if count is None else count > 0,
            sha256=record.sha256,
            extra=extra,
        )

    def plan_links(self, manifest: Manifest) -> dict[str, str]:
        """Place in the output folder of each file in the workspace."""
        return {
            self.name_file(case.case_id, key): (
                f'{_FOLDER}/{case.case_id}/{key}{self.suffix}'
            )
            for case in manifest.cases
            for key in case.sha256
        }


class ChunkedStorage(VolumeStorage):
    """The same in compressed chunks, ``.b2nd``; masks are label maps as they are."""

    suffix = '.b2nd'

    def encode_image(self, array: NDArray) -> bytes:
        """File of one sequence."""
        return encode_chunked(array)

    def encode_mask(self, mask: NDArray) -> bytes:
        """File of the label map."""
        return encode_chunked(mask)


def _encode(array: NDArray) -> bytes:
    """A ``.npy`` file in C order; equal arrays give equal bytes."""
    stream = io.BytesIO()
    np.save(stream, np.ascontiguousarray(array), allow_pickle=False)
    return stream.getvalue()
