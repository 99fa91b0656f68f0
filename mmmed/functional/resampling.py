"""Values of an image or a label map on another grid.

Not here: which grid (``geometry``), axis permutations and flips (``orientation``).
Everything works slab by slab or axis by axis, so that memory beside input and output
stays small.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

IMAGE_MODES = ('linear', 'nearest', 'cubic')
LABEL_MODES = ('nearest', 'linear')

# Output voxels at a time; four float32 arrays of this size are 64 MiB.
_SLAB_VOXELS = 1 << 22
_ON_GRID = 1e-6


def resample_image(
    array: NDArray,
    index_map: NDArray,
    shape: Sequence[int],
    *,
    mode: str = 'linear',
    fill: float = 0.0,
) -> NDArray:
    """Interpolate intensities at the points of another grid.

    A point less than half a voxel outside the outermost voxel centers is inside the
    image and takes the edge's value; farther out it takes ``fill``. There is no
    low-pass filter: smooth first where fine detail must not alias.

    Args:
        array: Shape (Z, Y, X), real or boolean.
        index_map: Shape (4, 4), from output to input array indices
            (:func:`mmmed.functional.geometry.compute_index_map`).
        shape: (Z, Y, X) of the output.
        mode: ``'linear'``, ``'nearest'`` (halves round up) or ``'cubic'`` (B-spline,
            overshoots at edges).
        fill: Value outside the image.

    Returns:
        Shape ``shape``. Type of the input if nearest, else float32 (float64 if the
        input is float64).

    Raises:
        ValueError: Unknown mode, or not three axes.

    Source:
        Edge rule and rounding agree with ITK's image functions.
    """
    _check(array, mode, IMAGE_MODES)
    if mode == 'cubic':
        return _resample_cubic(array, index_map, shape, fill)
    scales = _find_scales(index_map)
    if mode == 'nearest':
        if scales is None:
            return _resample_nearest(array, index_map, shape, fill)
        return _take_nearest(array, scales, shape, fill)
    if scales is None:
        return _resample_linear(array, index_map, shape, fill)
    return _blend_linear(array, scales, shape, fill)


def resample_labels(
    labels: NDArray,
    index_map: NDArray,
    shape: Sequence[int],
    *,
    mode: str = 'nearest',
    fill: int = 0,
) -> NDArray:
    """A label map at the points of another grid; no label is invented.

    Args:
        labels: Shape (Z, Y, X), integer or boolean.
        index_map: As for :func:`resample_image`.
        shape: (Z, Y, X) of the output.
        mode: ``'nearest'``, or ``'linear'``: each class is interpolated by itself
            and the largest share wins, the smaller label on a tie; smoother where
            voxels get smaller. Classes are taken one after the other: memory does
            not grow with their number.
        fill: Label outside the image.

    Returns:
        Shape ``shape``, type of the input.

    Raises:
        ValueError: Unknown mode, not three axes, or values that are not integers.
    """
    _check(labels, mode, LABEL_MODES)
    if labels.dtype.kind not in 'bui':
        raise ValueError(
            f'label map is {labels.dtype}, expected integers; convert it, or resample '
            'it as an image'
        )
    if mode == 'nearest':
        return resample_image(labels, index_map, shape, mode='nearest', fill=fill)
    result = np.full(shape, fill, dtype=labels.dtype)
    best = np.zeros(shape, dtype=np.float32)
    for label in np.unique(labels):
        mask = (labels == label).astype(np.float32)
        share = resample_image(mask, index_map, shape, mode='linear', fill=0.0)
        # Sums of float32 shares that are equal on paper differ in the last bits.
        better = share > best + 1e-6
        result[better] = label
        np.maximum(best, share, out=best)
    return result


def _check(array: NDArray, mode: str, modes: Sequence[str]) -> None:
    if array.ndim != 3 or array.size == 0:
        raise ValueError(
            f'array of shape {array.shape}, expected (Z, Y, X) with voxels'
        )
    if mode not in modes:
        raise ValueError(f'mode is {mode!r}, expected one of {", ".join(modes)}')


def _find_scales(index_map: NDArray) -> NDArray[np.float64] | None:
    """(3, 2) factors and offsets if every output axis is one input axis, unturned."""
    steps = index_map[:3, :3]
    off_axis = steps - np.diag(np.diag(steps))
    if np.abs(off_axis).max() > 1e-9:
        return None
    return np.stack([np.diag(steps), index_map[:3, 3]], axis=1)


def _locate(
    scale: NDArray, length: int, size: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Input positions of one axis's output indices, and which lie in the image."""
    position = scale[0] * np.arange(length) + scale[1]
    inside = (position >= -0.5 - _ON_GRID) & (position <= size - 0.5 + _ON_GRID)
    return np.clip(position, 0, size - 1), inside


def _round_half_up(position: NDArray, size: int) -> NDArray[np.intp]:
    index = np.floor(position + 0.5 + _ON_GRID).astype(np.intp)
    return np.clip(index, 0, size - 1)


def _take_nearest(
    array: NDArray, scales: NDArray, shape: Sequence[int], fill: float
) -> NDArray:
    masks = []
    # The axis that shrinks most goes first: less to move for those that follow.
    for axis in np.argsort([n / m for n, m in zip(shape, array.shape, strict=True)]):
        size = array.shape[axis]
        position, inside = _locate(scales[axis], shape[axis], size)
        array = np.take(array, _round_half_up(position, size), axis=axis)
        masks.append((axis, inside))
    return _fill_outside(np.ascontiguousarray(array), masks, fill)


def _blend_linear(
    array: NDArray, scales: NDArray, shape: Sequence[int], fill: float
) -> NDArray:
    # Slice by slice: what is worked on stays in the cache, which is worth a factor
    # of five over whole-array steps.
    kind = torch.float64 if array.dtype == np.float64 else torch.float32
    taps, masks = [], []
    for axis in range(3):
        position, inside = _locate(scales[axis], shape[axis], array.shape[axis])
        taps.append(_find_taps(position, array.shape[axis], kind))
        masks.append((axis, inside))
    (low, high, share), *in_plane = taps
    result = torch.empty(tuple(shape), dtype=kind)
    if shape[0] <= array.shape[0]:
        for z in range(shape[0]):
            pair = [_load_slice(array, int(k[z]), kind) for k in (low, high)]
            plane = torch.lerp(pair[0], pair[1], float(share[z]))
            result[z] = _blend_plane(plane, in_plane)
    else:
        planes = torch.empty((array.shape[0], *shape[1:]), dtype=kind)
        for z in range(array.shape[0]):
            planes[z] = _blend_plane(_load_slice(array, z, kind), in_plane)
        for z in range(shape[0]):
            first, second = planes[int(low[z])], planes[int(high[z])]
            torch.lerp(first, second, float(share[z]), out=result[z])
    return _fill_outside(result.numpy(), masks, fill)


_Taps = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def _find_taps(position: NDArray, size: int, kind: torch.dtype) -> _Taps:
    """Lower and upper neighbour of each position, and the upper one's share."""
    nearest = np.rint(position)
    # On a voxel its value must come out unchanged.
    position = np.where(np.abs(position - nearest) < _ON_GRID, nearest, position)
    low = np.minimum(position.astype(np.int64), max(size - 2, 0))
    high = np.minimum(low + 1, size - 1)
    share = torch.from_numpy(position - low).to(kind)
    return torch.from_numpy(low), torch.from_numpy(high), share


def _load_slice(array: NDArray, z: int, kind: torch.dtype) -> torch.Tensor:
    number = np.float64 if kind == torch.float64 else np.float32
    # A copy in any case: torch refuses reversed views and read-only memory.
    return torch.from_numpy(np.array(array[z], dtype=number, order='C'))


def _blend_plane(plane: torch.Tensor, taps: Sequence[_Taps]) -> torch.Tensor:
    for low, high, share in taps:  # along Y, then, turned, along X
        first, second = plane.index_select(0, low), plane.index_select(0, high)
        plane = torch.lerp(first, second, share[:, None]).T.contiguous()
    return plane


def _fill_outside(array: NDArray, masks: list, fill: float) -> NDArray:
    for axis, inside in masks:
        if not inside.all():
            array[(slice(None),) * axis + (~inside,)] = fill
    return array


def _iterate_slabs(
    index_map: NDArray, shape: Sequence[int], size: Sequence[int]
) -> Iterator[tuple[slice, list[NDArray], NDArray]]:
    """Output slabs with the input positions (clipped) of their points."""
    depth, height, width = shape
    thickness = max(1, _SLAB_VOXELS // max(1, height * width))
    y, x = np.arange(height)[:, None], np.arange(width)
    for start in range(0, depth, thickness):
        stop = min(depth, start + thickness)
        z = np.arange(start, stop)[:, None, None]
        positions = []
        inside = np.ones((stop - start, height, width), dtype=bool)
        for axis in range(3):
            a, b, c, d = index_map[axis]
            position = (a * z + d) + (b * y + c * x)
            inside &= position >= -0.5 - _ON_GRID
            inside &= position <= size[axis] - 0.5 + _ON_GRID
            positions.append(np.clip(position, 0, size[axis] - 1))
        yield slice(start, stop), positions, inside


def _resample_nearest(
    array: NDArray, index_map: NDArray, shape: Sequence[int], fill: float
) -> NDArray:
    result = np.empty(shape, dtype=array.dtype)
    for slab, positions, inside in _iterate_slabs(index_map, shape, array.shape):
        indices = [
            _round_half_up(p, n) for p, n in zip(positions, array.shape, strict=True)
        ]
        result[slab] = np.where(inside, array[tuple(indices)], array.dtype.type(fill))
    return result


def _resample_linear(
    array: NDArray, index_map: NDArray, shape: Sequence[int], fill: float
) -> NDArray:
    kind = np.float64 if array.dtype == np.float64 else np.float32
    source = torch.from_numpy(np.ascontiguousarray(array, dtype=kind))[None, None]
    result = np.empty(shape, dtype=kind)
    for slab, positions, inside in _iterate_slabs(index_map, shape, array.shape):
        # grid_sample wants x, y, z in [-1, 1] between the outermost voxel centers.
        scaled = [
            2 * p / max(n - 1, 1) - 1
            for p, n in zip(positions, array.shape, strict=True)
        ]
        grid = torch.from_numpy(np.stack(scaled[::-1], axis=-1).astype(kind))
        values = torch.nn.functional.grid_sample(
            source, grid[None], align_corners=True, padding_mode='border'
        )
        result[slab] = np.where(inside, values[0, 0].numpy(), kind(fill))
    return result


def _resample_cubic(
    array: NDArray, index_map: NDArray, shape: Sequence[int], fill: float
) -> NDArray:
    kind = np.float64 if array.dtype == np.float64 else np.float32
    source = ndimage.spline_filter(array.astype(np.float64), order=3, mode='mirror')
    result = np.empty(shape, dtype=kind)
    for slab, positions, inside in _iterate_slabs(index_map, shape, array.shape):
        values = ndimage.map_coordinates(
            source, positions, order=3, mode='mirror', prefilter=False
        )
        result[slab] = np.where(inside, values, fill)
    return result
