"""Where a network looked: class activation maps and occlusion, as array maths.

Not here: running the network (``mmmed.inference``), pictures.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

# (start, stop) of each axis.
Block = tuple[tuple[int, int], ...]


def compute_grad_cam(maps: Tensor, gradients: Tensor) -> Tensor:
    """Gradient-weighted class activation map of one case.

    Args:
        maps: Output of a layer, shape (C, ...space).
        gradients: Derivative of the class's logit by ``maps``, same shape.

    Returns:
        Shape (...space), >= 0: channels added, each times its mean gradient, and what
        speaks against the class cut off.

    Raises:
        ValueError: Shapes differ, or there is no space.

    Source:
        Selvaraju et al. 2017, arXiv:1610.02391, eq. (1) and (2), in any dimension.

    Example:
        >>> compute_grad_cam(torch.ones(1, 2), torch.tensor([[1.0, 3.0]])).tolist()
        [2.0, 2.0]
    """
    if maps.shape != gradients.shape or maps.ndim < 2:
        raise ValueError(
            f'maps {tuple(maps.shape)} with gradients {tuple(gradients.shape)}, '
            'expected one shape (C, ...space)'
        )
    weights = gradients.flatten(1).mean(1)
    return torch.relu(torch.einsum('c,c...->...', weights, maps))


def enlarge_map(values: NDArray, shape: Sequence[int]) -> NDArray[np.float32]:
    """A coarse map on the voxels of its image, between points linearly.

    Args:
        values: Shape (z, y, x); NaN stays NaN.
        shape: (Z, Y, X) of the image.

    Raises:
        ValueError: ``values`` or ``shape`` has not three axes.
    """
    values = np.asarray(values, np.float32)
    if values.ndim != 3 or len(shape) != 3:
        raise ValueError(f'map {values.shape} for {tuple(shape)}, expected three axes')
    large = functional.interpolate(
        torch.from_numpy(values.copy())[None, None],
        size=tuple(int(n) for n in shape),
        mode='trilinear',
        align_corners=False,
    )
    return large[0, 0].numpy()


def list_blocks(
    shape: Sequence[int], size: Sequence[int], stride: Sequence[int] | None = None
) -> list[Block]:
    """Boxes of one size that cover an image; the last of each axis ends with it.

    Args:
        shape: (Z, Y, X) in voxels.
        size: Of a block; an axis that is shorter is taken whole.
        stride: Step from block to block; None for blocks side by side.

    Returns:
        In array order.

    Raises:
        ValueError: Something is less than 1, the axes are not as many, or a stride
            longer than its block would leave gaps.

    Example:
        >>> list_blocks((5,), (2,))
        [((0, 2),), ((2, 4),), ((3, 5),)]
    """
    steps = size if stride is None else stride
    if not len(shape) == len(size) == len(steps) or min(*shape, *size, *steps) < 1:
        raise ValueError(
            f'blocks of {tuple(size)} every {tuple(steps)} in {tuple(shape)}, expected '
            'as many numbers, each 1 or more'
        )
    if any(step > width for step, width in zip(steps, size, strict=True)):
        raise ValueError(
            f'blocks of {tuple(size)} every {tuple(steps)} leave gaps; choose a stride '
            'up to the size'
        )
    axes = []
    for n, width, step in zip(shape, size, steps, strict=True):
        width = min(width, n)
        starts = sorted({*range(0, n - width, step), n - width})
        axes.append([(start, start + width) for start in starts])
    blocks: list[Block] = [()]
    for parts in axes:
        blocks = [(*block, part) for block in blocks for part in parts]
    return blocks


def spread_blocks(
    values: NDArray, blocks: Sequence[Block], shape: Sequence[int]
) -> NDArray[np.float32]:
    """Image of the values of blocks; where blocks overlap, their mean.

    Args:
        values: One a block, shape (B,).
        blocks: See :func:`list_blocks`.
        shape: (Z, Y, X).

    Returns:
        Shape ``shape``, NaN where no block is.

    Raises:
        ValueError: Not as many values as blocks.
    """
    total, count = np.zeros(shape), np.zeros(shape)
    for value, block in zip(values, blocks, strict=True):
        part = tuple(slice(start, stop) for start, stop in block)
        total[part] += value
        count[part] += 1
    with np.errstate(invalid='ignore'):
        return (total / count).astype(np.float32)
