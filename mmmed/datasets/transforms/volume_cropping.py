"""RandomCropVolume: a window of a volume that is in memory.

Not here: patches read from files (``volume_loading``), slices (``cropping``).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmmed.datasets.transforms.base import DrawnTransform
from mmmed.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomCropVolume(DrawnTransform):
    """Cut a window out at a random place; within ``mmmed.JointSequences``.

    Required keys: ``img`` (C, Z, Y, X), ``rng``. Optional: ``gt_seg_map`` (Z, Y, X).

    Modified keys: ``img``, ``gt_seg_map``. Added keys: ``applied``.

    Args:
        size: (Z, Y, X) in voxels.

    Raises:
        ValueError: ``size`` is not three numbers >= 1, or the volume is smaller.
    """

    def __init__(self, size: Sequence[int]) -> None:
        super().__init__(1.0)
        if len(size) != 3 or min(size) < 1:
            raise ValueError(f'size is {size}, expected (Z, Y, X), >= 1')
        self.size = tuple(int(n) for n in size)

    def draw(self, results: dict, rng: np.random.Generator) -> dict[str, Any]:
        """First voxel of the window."""
        shape = results['img'].shape[1:]
        room = [have - want for have, want in zip(shape, self.size, strict=True)]
        if min(room) < 0:
            raise ValueError(
                f'the volume has {tuple(shape)} voxels, expected {self.size} or more; '
                'prepare the data larger or crop less'
            )
        return {'start': [int(rng.integers(n + 1)) for n in room]}

    def apply(self, results: dict, params: dict[str, Any]) -> dict:
        """Cut."""
        z, y, x = (
            slice(start, start + n)
            for start, n in zip(params['start'], self.size, strict=True)
        )
        for key in {'img', 'gt_seg_map'} & results.keys():
            results[key] = np.ascontiguousarray(results[key][..., z, y, x])
        return results
