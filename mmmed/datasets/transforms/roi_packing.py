"""PackROISequences: lesions of the pipeline to what ``mmmed.VolumeClassifier`` takes.

Not here: anything that changes a value.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform

from mmmed.registry import TRANSFORMS
from mmmed.structures.roi_sample import ROISample

META_KEYS = (
    'case_id', 'patient_id', 'sample_idx', 'sequences', 'size_mm', 'spacing',
    'img_spacing', 'img_shape', 'img_paths', 'fold', 'centers_mm',
)  # fmt: skip


@TRANSFORMS.register_module()
class PackROISequences(BaseTransform):
    """A tensor of all sequences and an ``ROISample`` that remembers the lesion.

    Required keys: ``img`` (S, C, Z, Y, X), ``available`` (S,).

    Used if present: ``targets`` and the keys of ``meta_keys``.

    Returns a dict of ``inputs``, shape (S, C, Z, Y, X), float32, and
    ``data_samples`` with ``available``, ``gt_targets`` and the metadata.

    Args:
        meta_keys: Keys to keep. Add ``'applied'`` to have what was drawn.

    Raises:
        ValueError: An array has another number of axes, or a value is not finite.
    """

    def __init__(self, meta_keys: Sequence[str] = META_KEYS) -> None:
        self.meta_keys = tuple(meta_keys)

    def transform(self, results: dict) -> dict[str, Any]:
        """Pack one sample; the host calls this."""
        img = results['img']
        if img.ndim != 5 or len(img) != len(results['available']):
            raise ValueError(
                f'img has shape {img.shape} for {len(results["available"])} sequences, '
                'expected (S, C, Z, Y, X)'
            )
        inputs = torch.from_numpy(
            np.require(img, np.float32, requirements=['C', 'W', 'O'])
        )
        if not bool(torch.isfinite(inputs).all()):
            raise ValueError(
                f'{results.get("case_id")}: img holds NaN or infinity; prepare the '
                'data again'
            )
        meta = {key: results[key] for key in self.meta_keys if key in results}
        sample = ROISample(metainfo=meta)
        sample.available = torch.from_numpy(np.array(results['available'], bool))
        if 'targets' in results:
            sample.gt_targets = results['targets']
        return {'inputs': inputs, 'data_samples': sample}

    def __repr__(self) -> str:
        return f'{type(self).__name__}(meta_keys={self.meta_keys})'
