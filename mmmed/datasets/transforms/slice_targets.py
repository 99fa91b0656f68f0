"""PackSliceTargets: classified slices to what ``mmmed.VolumeClassifier`` takes.

Not here: segmented slices (``formatting``), anything random.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform

from mmmed.registry import TRANSFORMS
from mmmed.structures.roi_sample import ROISample

META_KEYS = (
    'case_id', 'patient_id', 'volume_id', 'sample_idx', 'plane', 'slice_index', 'fold',
    'img_path', 'ori_shape', 'img_shape', 'spacing', 'img_spacing',
)  # fmt: skip


@TRANSFORMS.register_module()
class PackSliceTargets(BaseTransform):
    """A tensor of one slice from 0 to 1, and an ``ROISample`` with its classes.

    A slice is a region of one sequence that is one voxel thick.

    Required keys: ``img`` (H, W, C), 0 to 255.

    Used if present: ``targets`` (class number by target, -1 unknown) and the keys of
    ``meta_keys``.

    Returns a dict of ``inputs``, shape (1, C, 1, Y, X), float32 from 0 to 1, and
    ``data_samples`` with ``available``, ``gt_targets`` and the metadata.

    Args:
        targets: Names of the targets to keep, in their order; None for all.
        meta_keys: Keys to keep. Add ``'applied'`` to have what was drawn.

    Raises:
        ValueError: ``img`` has another number of axes, a value is not finite, or the
            sample lacks a target.
    """

    def __init__(
        self,
        targets: Sequence[str] | None = None,
        meta_keys: Sequence[str] = META_KEYS,
    ) -> None:
        self.targets = None if targets is None else tuple(targets)
        self.meta_keys = tuple(meta_keys)

    def transform(self, results: dict) -> dict[str, Any]:
        """Pack one slice; the host calls this."""
        img, case = results['img'], results.get('case_id')
        if img.ndim != 3:
            raise ValueError(f'{case}: img has shape {img.shape}, expected (H, W, C)')
        planes = np.ascontiguousarray(img.transpose(2, 0, 1), np.float32)
        inputs = torch.from_numpy(planes / np.float32(255))[None, :, None]
        if not bool(torch.isfinite(inputs).all()):
            raise ValueError(f'{case}: img holds NaN or infinity; prepare it again')
        meta = {key: results[key] for key in self.meta_keys if key in results}
        sample = ROISample(metainfo=meta)
        sample.available = torch.ones(1, dtype=torch.bool)
        if 'targets' in results or self.targets is not None:
            sample.gt_targets = self._choose(results)
        return {'inputs': inputs, 'data_samples': sample}

    def _choose(self, results: dict) -> dict[str, int]:
        known = results.get('targets', {})
        if self.targets is None:
            return known
        missing = [name for name in self.targets if name not in known]
        if missing:
            raise ValueError(
                f'{results.get("case_id")}: no target {missing}, the sample has '
                f'{sorted(known)}; prepare the data with it or change targets'
            )
        return {name: known[name] for name in self.targets}

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(targets={self.targets}, meta_keys={self.meta_keys})'
        )
