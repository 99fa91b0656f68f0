"""Batches of regions of interest: moved to the device and stacked."""

from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from mmmed.registry import MODELS
from mmmed.structures.roi_sample import ROISample


@MODELS.register_module()
class ROIDataPreprocessor(BaseDataPreprocessor):
    """Stack the regions of a batch, and which of their sequences are there.

    Regions have one size: the pipeline pads and crops, where it also knows the value
    of padding.

    Args:
        non_blocking: Whether copies to the device may overlap with its work.
    """

    def forward(self, data: dict, training: bool = False) -> dict[str, Any]:
        """One batch.

        Args:
            data: ``inputs``, tensors (S, C, Z, Y, X), and ``data_samples``, one each,
                as ``pseudo_collate`` gives them.
            training: Without effect.

        Returns:
            ``inputs`` (N, S, C, Z, Y, X), floating; ``available`` (N, S), bool, all
            True for samples that do not say; ``data_samples``.

        Raises:
            ValueError: Regions of different sizes.
        """
        data = self.cast_data(data)
        inputs: list[Tensor] = list(data['inputs'])
        samples: list[ROISample] | None = data.get('data_samples')
        sizes = {tuple(img.shape) for img in inputs}
        if len(sizes) != 1:
            raise ValueError(
                f'regions of shapes {sorted(sizes)} in one batch, expected one (S, C, '
                'Z, Y, X); give the pipeline a fixed size'
            )
        batch = torch.stack(inputs)
        batch = batch if batch.is_floating_point() else batch.float()
        everything = batch.new_ones(batch.shape[1], dtype=torch.bool)
        available = [
            sample.available if 'available' in sample else everything
            for sample in (samples or [ROISample()] * len(inputs))
        ]
        return {
            'inputs': batch,
            'available': torch.stack(available).to(batch.device),
            'data_samples': samples,
        }
