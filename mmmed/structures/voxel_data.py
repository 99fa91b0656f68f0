"""VoxelData: what the host's PixelData is for slices, for volumes.

Not imported by the package: only rooms that know the host need it.
"""

from typing import Any

import numpy as np
import torch
from mmengine.structures import BaseDataElement, PixelData


class VoxelData(PixelData):
    """Values per voxel in a data sample, of shape (C, Z, Y, X).

    The host's ``SegDataSample`` takes nothing but ``PixelData`` as labels and
    predictions, which in turn refuses a fourth axis.

    Args:
        metainfo: As in the host.
        **kwargs: Arrays or tensors by name, such as ``data``.

    Raises:
        ValueError: A value has another number of axes, or another (Z, Y, X) than
            those before.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ('_metainfo_fields', '_data_fields'):
            BaseDataElement.__setattr__(self, name, value)
            return
        if not isinstance(value, torch.Tensor | np.ndarray) or value.ndim != 4:
            shape = getattr(value, 'shape', type(value).__name__)
            raise ValueError(f'{name} is {shape}, expected values of (C, Z, Y, X)')
        if self.shape and tuple(value.shape[-3:]) != self.shape:
            raise ValueError(
                f'{name} has shape {tuple(value.shape)}, expected (C, *{self.shape})'
            )
        BaseDataElement.__setattr__(self, name, value)

    @property
    def shape(self) -> tuple[int, ...] | None:
        """(Z, Y, X); None without values."""
        if not self._data_fields:
            return None
        return tuple(self.values()[0].shape[-3:])
