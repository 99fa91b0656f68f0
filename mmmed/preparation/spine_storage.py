"""Spinal cord volumes as files: the image, the target mask, and the cord beside it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mmmed.preparation.volume_storage import VolumeRecord, VolumeStorage
from mmmed.structures import VolumeCase

SEQUENCE = 'image'
"""Name of the one sequence of a case: which it is differs, and ``targets`` has it."""
CORD = 'cord'


class CordStorage(VolumeStorage):
    """As its parent, but the packed cord mask of an item is no sequence.

    It travels among the item's images under the name ``'cord'``, and the case names
    its file as ``cord_path``.
    """

    def make_case(
        self,
        record: VolumeRecord,
        split: str,
        fold: int | None,
        extra: Mapping[str, Any],
    ) -> VolumeCase:
        """Manifest entry of a converted image."""
        case = super().make_case(record, split, fold, extra)
        if CORD not in case.img_paths:
            return case
        paths = dict(case.img_paths)
        cord = paths.pop(CORD)
        return replace(case, img_paths=paths, extra={**extra, 'cord_path': cord})
