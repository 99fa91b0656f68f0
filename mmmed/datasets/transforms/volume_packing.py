"""PackMedVolumes: volumes of the pipeline to what ``mmmed.VolumeSegmentor`` takes.

Not here: anything that changes a value.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmseg.structures import SegDataSample

from mmmed.registry import TRANSFORMS
from mmmed.structures.voxel_data import VoxelData

META_KEYS = (
    'case_id',
    'patient_id',
    'sample_idx',
    'img_path',
    'img_paths',
    'seg_map_path',
    'ori_shape',
    'img_shape',
    'spacing',
    'img_spacing',
    'img_grid',
    'affine',
    'lesions',
    'mixes_real',
    'pending_warp',
    'pending_intensity',
)


@TRANSFORMS.register_module()
class PackMedVolumes(BaseTransform):
    """Tensors and a ``SegDataSample`` that remembers which case it is.

    Required keys: ``img`` (C, Z, Y, X).

    Used if present: ``gt_seg_map`` (Z, Y, X) and the keys of ``meta_keys``.

    Returns a dict of ``inputs``, shape (C, Z, Y, X), and ``data_samples`` with
    ``gt_sem_seg`` of shape (1, Z, Y, X), uint8, and the metadata.

    Args:
        meta_keys: Keys to keep. Add ``'applied'`` to have what was drawn.

    Raises:
        ValueError: An array has another number of axes.
    """

    def __init__(self, meta_keys: Sequence[str] = META_KEYS) -> None:
        self.meta_keys = tuple(meta_keys)

    def transform(self, results: dict) -> dict[str, Any]:
        """Pack one sample; the host calls this."""
        img = results['img']
        if img.ndim != 4:
            raise ValueError(f'img has shape {img.shape}, expected (C, Z, Y, X)')
        sample = SegDataSample()
        for key in self.meta_keys:
            if key in results:
                sample.set_field(results[key], key, field_type='metainfo')
        if 'gt_seg_map' in results:
            labels = results['gt_seg_map']
            if labels.ndim != 3:
                raise ValueError(
                    f'gt_seg_map has shape {labels.shape}, expected (Z, Y, X)'
                )
            sample.gt_sem_seg = VoxelData(data=_to_tensor(labels[None]))
        return {'inputs': _to_tensor(img), 'data_samples': sample}

    def __repr__(self) -> str:
        return f'{type(self).__name__}(meta_keys={self.meta_keys})'


def _to_tensor(array: np.ndarray) -> torch.Tensor:
    # Torch wants contiguous arrays that may be written.
    return torch.from_numpy(np.require(array, requirements=['C', 'W']))
