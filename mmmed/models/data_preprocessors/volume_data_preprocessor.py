"""Batches of volumes: moved, augmented on the device, padded, stacked."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmmed.functional.volume_intensity import IntensityChange, change_intensity
from mmmed.functional.volume_warp import IGNORE_LABEL, warp_volumes
from mmmed.registry import MODELS
from mmmed.structures.voxel_data import VoxelData


@MODELS.register_module()
class VolumeDataPreprocessor(BaseDataPreprocessor):
    """Stack the volumes of a batch, and apply what was drawn for them.

    A sample that comes with ``pending_warp`` (its pipeline has no
    ``mmmed.WarpVolume``) is warped here together with the rest of the batch, on the
    device of the model, in one resampling; then ``pending_intensity`` is applied.
    The numbers were drawn by the worker, so the patch is the one that the CPU would
    have made, to rounding.

    Volumes of different sizes are padded at the end of each axis.

    Args:
        pad_val: Value of padded voxels, on the network's scale.
        seg_pad_val: Label of padded voxels.
        non_blocking: Whether copies to the device may overlap with its work.
    """

    def __init__(
        self,
        pad_val: float = 0.0,
        seg_pad_val: int = IGNORE_LABEL,
        non_blocking: bool = False,
    ) -> None:
        super().__init__(non_blocking=non_blocking)
        self.pad_val = float(pad_val)
        self.seg_pad_val = int(seg_pad_val)

    def forward(self, data: dict, training: bool = False) -> dict[str, Any]:
        """One batch.

        Args:
            data: ``inputs``, tensors (C, Z, Y, X), and ``data_samples``, one each, as
                ``pseudo_collate`` gives them.
            training: Whether the model trains; without effect.

        Returns:
            ``inputs`` (N, C, Z, Y, X), floating, and ``data_samples``.

        Raises:
            ValueError: Some samples have a pending warp, and the patches are of
                different sizes.
        """
        data = self.cast_data(data)
        inputs: list[Tensor] = [_to_float(img) for img in data['inputs']]
        samples: list[SegDataSample] | None = data.get('data_samples')
        if samples is None:
            return {'inputs': _stack(inputs, self.pad_val), 'data_samples': None}
        labels = [_find_labels(sample) for sample in samples]
        pending = [sample.metainfo.get('pending_warp') for sample in samples]
        if any(one is not None for one in pending):
            return self._warp(inputs, labels, samples, pending)
        sizes = [tuple(img.shape[1:]) for img in inputs]
        largest = [max(n) for n in zip(*sizes, strict=True)]
        batch = _stack(inputs, self.pad_val)
        # Labels on another grid than the image (resampled for testing) stay as they
        # are.
        for sample, seg, size in zip(samples, labels, sizes, strict=True):
            if seg is not None and tuple(seg.shape) == size and training:
                _set_labels(sample, _pad(seg, largest, self.seg_pad_val))
        return {'inputs': batch, 'data_samples': samples}

    def _warp(
        self,
        inputs: list[Tensor],
        labels: list[Tensor | None],
        samples: list[SegDataSample],
        pending: Sequence[Any],
    ) -> dict[str, Any]:
        waiting = [k for k, one in enumerate(pending) if one is not None]
        # A sample for which no warp was drawn is the patch already.
        sizes = {
            tuple(img.shape[1:]) if one is None else tuple(one.size)
            for img, one in zip(inputs, pending, strict=True)
        }
        if len(sizes) != 1:
            raise ValueError(
                f'patches of sizes {sorted(sizes)} in one batch, expected one size; '
                'give every sample of the batch the same pipeline'
            )
        size = sizes.pop()
        # Beyond the arrays a warp finds nothing anyway, so padding changes nothing.
        batch = _stack([inputs[k] for k in waiting], 0.0)
        seg = None
        if all(labels[k] is not None for k in waiting):
            padded = [
                _pad(one, batch.shape[2:], IGNORE_LABEL)
                for one in (labels[k] for k in waiting)
                if one is not None
            ]
            seg = torch.stack(padded)
        batch, seg = warp_volumes(batch, seg, [pending[k].warp for k in waiting], size)
        changes = [samples[k].metainfo.get('pending_intensity') for k in waiting]
        if any(change is not None for change in changes):
            batch = change_intensity(batch, [c or IntensityChange() for c in changes])
        patches = list(inputs)
        for place, k in enumerate(waiting):
            patches[k] = batch[place]
            if seg is not None:
                _set_labels(samples[k], seg[place])
            samples[k].set_field(tuple(size), 'img_shape', field_type='metainfo')
        return {'inputs': torch.stack(patches), 'data_samples': samples}


def _to_float(img: Tensor) -> Tensor:
    return img if img.is_floating_point() else img.float()


def _find_labels(sample: SegDataSample) -> Tensor | None:
    """Labels (Z, Y, X) of a sample, or None."""
    return sample.gt_sem_seg.data[0] if 'gt_sem_seg' in sample else None


def _set_labels(sample: SegDataSample, seg: Tensor) -> None:
    # Anew: an element refuses values on another grid than its own.
    sample.gt_sem_seg = VoxelData(data=seg[None])


def _stack(inputs: Sequence[Tensor], value: float) -> Tensor:
    sizes = [tuple(img.shape[1:]) for img in inputs]
    largest = [max(n) for n in zip(*sizes, strict=True)]
    return torch.stack([_pad(img, largest, value) for img in inputs])


def _pad(array: Tensor, size: Sequence[int], value: float) -> Tensor:
    """Array (..., Z, Y, X), padded at the ends."""
    missing = [m - n for m, n in zip(size, array.shape[-3:], strict=True)]
    if not any(missing):
        return array
    amounts = [amount for more in reversed(missing) for amount in (0, more)]
    return nn.functional.pad(array, amounts, value=value)
