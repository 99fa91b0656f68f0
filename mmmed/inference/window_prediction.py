"""3-D networks over a scan: sliding windows, blended in a ring of planes.

Windows are taken layer by layer along Z. A plane that no later layer reaches is
finished, handed out and forgotten, so only as many planes as a window is deep are
ever held. If even those exceed the memory aimed at, the plane is taken block by block:
windows across borders run again for each block, and every sum stays the same to the
last bit.
"""

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from mmmed.functional.tiling import (
    Tile,
    compute_gaussian_weights,
    compute_tiles,
    compute_window_padding,
)
from mmmed.inference.adaptive_batch import AdaptiveBatch
from mmmed.inference.members import Member, normalize
from mmmed.inference.planes import Interpolation, Plane, interpolate_planes
from mmmed.inference.recipe import ScanRecipe
from mmmed.inference.scan_grid import ScanGrid

# A window's logits, their exponentials and the probabilities exist side by side.
_COPIES = 3
# Planes of the scan that exist beside the ring while it is interpolated back.
_EXTRA_PLANES = 4


def predict_volume(
    grid: ScanGrid, member: Member, batch: AdaptiveBatch, *, memory_bytes: int
) -> Iterator[Plane]:
    """Probabilities of every plane of the scan (turned, not resampled).

    Args:
        grid: The scan.
        member: A 3-D network, or several.
        batch: Windows at a time.
        memory_bytes: Aimed at for class probabilities.

    Yields:
        Planes in order, or blocks of planes: all planes of a block, then the next.
    """
    recipe = member.recipe
    axes = [Interpolation.plan(position) for position in grid.find_positions()]
    for rows, columns in plan_blocks(grid, recipe, memory_bytes):
        if not grid.is_resampled:
            region = (rows, columns)
            for z, prob in blend_windows(grid, member, batch, region):
                yield Plane(z, prob, rows, columns)
            continue
        along_y = _cut(axes[1], rows)
        along_x = _cut(axes[2], columns)
        region = (_find_extent(along_y), _find_extent(along_x))
        stream = interpolate_planes(
            blend_windows(grid, member, batch, region),
            axes[0],
            along_y.shift(region[0].start),
            along_x.shift(region[1].start),
        )
        for z, prob in stream:
            yield Plane(z, prob, rows, columns)


def plan_blocks(
    grid: ScanGrid, recipe: ScanRecipe, memory_bytes: int
) -> list[tuple[slice, slice]]:
    """Blocks of a plane whose ring of probabilities fits into memory.

    Args:
        grid: The scan.
        recipe: Its windows and classes count.
        memory_bytes: For the ring, besides what one window takes.

    Returns:
        Rows and columns of each block, on the scan's own (turned) plane; one block
        if everything fits. Blocks are never smaller than half a window, because the
        repeated windows would then cost more than memory does.
    """
    assert recipe.crop_size is not None
    depth = recipe.crop_size[0]
    per_class = 4 * recipe.out_channels
    window_bytes = _COPIES * per_class * math.prod(recipe.crop_size)
    left = max(memory_bytes - window_bytes, memory_bytes // 4)
    planes = depth + (_EXTRA_PLANES if grid.is_resampled else 1)
    pixels = left / (per_class * planes)
    lengths = grid.turned_shape[1:]
    counts = [1, 1]
    smallest = [
        max(1, window * length // (2 * size))
        for window, length, size in zip(
            recipe.crop_size[1:], lengths, grid.shape[1:], strict=True
        )
    ]
    while True:
        block = [math.ceil(n / c) for n, c in zip(lengths, counts, strict=True)]
        can = [
            k
            for k in (0, 1)
            if counts[k] < lengths[k]
            and math.ceil(lengths[k] / (counts[k] + 1)) >= smallest[k]
        ]
        if math.prod(block) <= pixels or not can:
            break
        counts[max(can, key=lambda k: block[k])] += 1
    rows, columns = (_split(n, size) for n, size in zip(lengths, block, strict=True))
    return [(row, column) for row in rows for column in columns]


def blend_windows(
    grid: ScanGrid,
    member: Member,
    batch: AdaptiveBatch,
    region: tuple[slice, slice],
) -> Iterator[tuple[int, Tensor]]:
    """Weighted mean probability of overlapping windows, plane by plane.

    Args:
        grid: The scan.
        member: A 3-D network, or several.
        batch: Windows at a time.
        region: Rows and columns of the network's grid that are wanted.

    Yields:
        Index and (K, y, x) of each plane of the network's grid, in order; the same
        numbers as :func:`mmmed.functional.sliding_window.predict_by_windows` gives
        for the whole volume at once.
    """
    recipe = member.recipe
    assert recipe.crop_size is not None
    assert recipe.stride is not None
    window = recipe.crop_size
    padding = compute_window_padding(grid.shape, window)
    padded = [n + more for n, more in zip(grid.shape, padding, strict=True)]
    tiles = compute_tiles(padded, window, recipe.stride)
    layers = [
        (start, list(group))
        for start, group in itertools.groupby(tiles, key=lambda tile: tile[0].start)
    ]
    weights = _make_weights(recipe, is_lone=len(tiles) == 1)
    ring = _Ring(window[0], weights, region)
    source = _PaddedPlanes(grid, recipe, padded, window[0])
    for number, (start, layer) in enumerate(layers):
        wanted = [tile for tile in layer if _overlaps(tile, region)]
        slab = source.read(start)

        def work(tiles: Sequence[Tile], slab: Tensor = slab) -> list[Tensor]:
            windows = [slab[:, :, rows, columns] for _, rows, columns in tiles]
            return member.average(torch.stack(windows))

        for done, probs in batch.map(wanted, work):
            for tile, prob in zip(done, probs, strict=True):
                ring.add(tile, prob)
        is_last = number == len(layers) - 1
        end = padded[0] if is_last else layers[number + 1][0]
        for index, plane in ring.release(end):
            if index < grid.shape[0]:
                yield index, plane


class _Ring:
    """Weighted sums of the planes that windows still reach.

    One block of memory for all of them, used again and again: planes that come and
    go one by one would tear holes that windows do not fit into, and the process would
    grow to a multiple of what it holds.

    Args:
        depth: Planes of a window.
        weights: Shape of the window; None if a lone window covers everything.
        region: Rows and columns that are kept.
    """

    def __init__(
        self, depth: int, weights: Tensor | None, region: tuple[slice, slice]
    ) -> None:
        self._depth = depth
        self._weights = weights
        self._region = region
        self._first = 0
        # Of plane z at z % depth: (depth, K, y, x) and (depth, y, x).
        self._prob = torch.empty(0)
        self._weight = torch.empty(0)

    def add(self, tile: Tile, prob: Tensor) -> None:
        """Add a window's probabilities, (K, z, y, x), where it meets the region."""
        if not self._prob.numel():
            self._allocate(prob)
        into, part = [], []
        for wanted, along in zip(self._region, tile[1:], strict=True):
            low, high = max(wanted.start, along.start), min(wanted.stop, along.stop)
            into.append(slice(low - wanted.start, high - wanted.start))
            part.append(slice(low - along.start, high - along.start))
        for offset in range(prob.shape[1]):
            place = (tile[0].start + offset) % self._depth
            values = prob[:, offset, part[0], part[1]]
            if self._weights is None:
                self._prob[place, :, into[0], into[1]] += values
                continue
            weight = self._weights[offset, part[0], part[1]]
            self._prob[place, :, into[0], into[1]].addcmul_(values, weight)
            self._weight[place, into[0], into[1]] += weight

    def release(self, end: int) -> Iterator[tuple[int, Tensor]]:
        """Mean of all planes before ``end``; they are forgotten."""
        for index in range(self._first, end):
            place = index % self._depth
            plane = self._prob[place]
            if self._weights is None:
                yield index, plane
                continue
            yield index, plane / self._weight[place]
            plane.zero_()
            self._weight[place].zero_()
        self._first = end

    def _allocate(self, prob: Tensor) -> None:
        size = [axis.stop - axis.start for axis in self._region]
        self._prob = prob.new_zeros((self._depth, len(prob), *size))
        if self._weights is not None:
            self._weight = prob.new_zeros((self._depth, *size))
            self._weights = self._weights.to(prob.device)


class _PaddedPlanes:
    """Normalised planes of a scan, each read once, padded to hold a window.

    Args:
        grid: The scan.
        recipe: How it is normalised.
        padded: (Z, Y, X) after padding.
        depth: Planes of a window.
    """

    def __init__(
        self, grid: ScanGrid, recipe: ScanRecipe, padded: Sequence[int], depth: int
    ) -> None:
        self._grid = grid
        self._recipe = recipe
        self._slab = torch.empty(recipe.in_channels, depth, *padded[1:])
        self._start, self._known = 0, 0

    def read(self, start: int) -> Tensor:
        """Slab (C, depth, Y, X) from a plane that never goes back.

        The next call overwrites it.
        """
        depth = self._slab.shape[1]
        shift = start - self._start
        kept = max(0, self._known - shift)
        if shift and kept:
            self._slab[:, :kept] = self._slab[:, shift : shift + kept].clone()
        for offset in range(kept, depth):
            self._fill(self._slab[:, offset], start + offset)
        self._start, self._known = start, depth
        return self._slab

    def _fill(self, plane: Tensor, index: int) -> None:
        plane.fill_(self._recipe.pad_value)
        if index < self._grid.shape[0]:
            values = normalize([self._grid.read_plane(index)], self._recipe)[0]
            plane[:, : values.shape[1], : values.shape[2]] = values


def _make_weights(recipe: ScanRecipe, *, is_lone: bool) -> Tensor | None:
    assert recipe.crop_size is not None
    if is_lone:
        return None
    if recipe.window_weight == 'gaussian':
        return torch.from_numpy(compute_gaussian_weights(recipe.crop_size))
    return torch.ones(recipe.crop_size)


def _overlaps(tile: Tile, region: tuple[slice, slice]) -> bool:
    return all(
        along.start < wanted.stop and wanted.start < along.stop
        for along, wanted in zip(tile[1:], region, strict=True)
    )


def _split(length: int, size: int) -> list[slice]:
    starts = range(0, length, size)
    return [slice(start, min(length, start + size)) for start in starts]


def _cut(axis: Interpolation, part: slice) -> Interpolation:
    return Interpolation(axis.lower[part], axis.weight[part])


def _find_extent(axis: Interpolation) -> slice:
    """Indices of the network's grid that an interpolation looks at."""
    return slice(int(axis.lower.min()), int(np.max(axis.upper)) + 1)
