"""PackMedInputs: arrays of the pipeline to what the host's models take.

Not here: anything that changes a value.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmmed.registry import TRANSFORMS

META_KEYS = (
    'case_id',
    'patient_id',
    'slice_index',
    'sample_idx',
    'img_path',
    'seg_map_path',
    'ori_shape',
    'img_shape',
    'pad_shape',
    'img_padding_size',
    'scale_factor',
    'spacing',
    'img_spacing',
    'flip',
    'flip_direction',
)


@TRANSFORMS.register_module()
class PackMedInputs(BaseTransform):
    """Tensors and a ``SegDataSample`` that remembers which case it is.

    Required keys: ``img`` (H, W, C).

    Used if present: ``gt_seg_map`` (Y, X) and the keys of ``meta_keys``.

    Returns a dict of ``inputs``, shape (C, H, W), same type as ``img``, and
    ``data_samples`` with ``gt_sem_seg`` of shape (1, Y, X) and the metadata.

    Args:
        meta_keys: Keys to keep. Add ``'applied'`` to have what was drawn.
        label_dtype: ``'int64'`` for any loss, the host's included; ``'uint8'`` for
            losses of ours, which take any integer. Bytes are an eighth of what goes
            from a worker to the training process, and halve its work on a slice.

    Raises:
        ValueError: ``img`` is not (H, W, C), the label map is not (Y, X), or the label
            type is another.
    """

    def __init__(
        self, meta_keys: Sequence[str] = META_KEYS, label_dtype: str = 'int64'
    ) -> None:
        if label_dtype not in ('int64', 'uint8'):
            raise ValueError(
                f"label_dtype is {label_dtype!r}, expected 'int64' or 'uint8'"
            )
        self.meta_keys = tuple(meta_keys)
        self.label_dtype = np.dtype(label_dtype)

    def transform(self, results: dict) -> dict[str, Any]:
        """Pack one sample; the host calls this."""
        img = results['img']
        if img.ndim != 3:
            raise ValueError(f'img has shape {img.shape}, expected (H, W, C)')
        # C, H, W; without a copy where there is one channel. Torch wants arrays that
        # may be written.
        planes = np.require(img.transpose(2, 0, 1), requirements=['C', 'W'])
        sample = SegDataSample()
        for key in self.meta_keys:
            if key in results:
                # set_metainfo() would copy every value deeply, at the price of the
                # whole packing; nothing here is shared with another sample.
                sample.set_field(results[key], key, field_type='metainfo')
        if 'gt_seg_map' in results:
            labels = _to_labels(results['gt_seg_map'], self.label_dtype)
            sample.gt_sem_seg = PixelData(data=labels)
        return {'inputs': torch.from_numpy(planes), 'data_samples': sample}

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(meta_keys={self.meta_keys}, '
            f'label_dtype={self.label_dtype.name!r})'
        )


def _to_labels(seg: np.ndarray, dtype: np.dtype) -> torch.Tensor:
    """Label map as a tensor of its own, shape (1, Y, X)."""
    if seg.ndim != 2:
        raise ValueError(f'gt_seg_map has shape {seg.shape}, expected (Y, X)')
    return torch.from_numpy(seg.astype(dtype))[None]
