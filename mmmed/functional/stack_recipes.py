"""Crops, flips, erased rectangles and warps of stacks of slices, as RRMediCa has them.

All act on (K, Y, X): K slices that move together. Not here: which recipe is drawn
(``mmmed.datasets.transforms.roi_legacy``), warps in three dimensions
(``volume_warp``).
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

SIDE = 80
BASE_SIDE = 128


def crop_center(stack: Tensor, side: int) -> Tensor:
    """A square about the middle, 0 where the stack is smaller.

    Args:
        stack: Shape (K, Y, X).
        side: Rows and columns wanted, >= 1.
    """
    for axis in (1, 2):
        length = stack.shape[axis]
        if length > side:
            stack = stack.narrow(axis, (length - side) // 2, side)
    rows, columns = side - stack.shape[1], side - stack.shape[2]
    before = rows // 2, columns // 2
    padding = (before[1], columns - before[1], before[0], rows - before[0])
    return nn.functional.pad(stack, padding)


def resize_short_side(stack: Tensor, side: int) -> Tensor:
    """Resize so that the shorter of rows and columns is ``side``, antialiased."""
    rows, columns = stack.shape[1:]
    scale = side / min(rows, columns)
    size = (
        (side, int(columns * scale)) if rows <= columns else (int(rows * scale), side)
    )
    return resize(stack, size)


def resize(stack: Tensor, size: Sequence[int]) -> Tensor:
    """Resize to (rows, columns), bilinear and antialiased."""
    if tuple(stack.shape[1:]) == tuple(size):
        return stack
    return nn.functional.interpolate(
        stack[None], tuple(size), mode='bilinear', antialias=True
    )[0]


def draw_base_side(size_px: float, chance: float, pick: float) -> int | None:
    """Side of the square that is cut before all recipes.

    Args:
        size_px: Diameter of the lesion in pixels.
        chance: Random number in [0, 1): cut where chance * size_px <= 25.
        pick: Random number in [0, 1): which side, of 2.5 to 3.5 diameters, 50 to 150.

    Returns:
        The side; None where nothing is cut.
    """
    if size_px >= 50 or chance * size_px > 25:
        return None
    size_px = max(size_px, 20.0)
    low, high = max(50, int(2.5 * size_px)), min(150, int(3.5 * size_px))
    return low + int(pick * (high - low + 1))


def draw_resized_box(
    rng: np.random.Generator,
    size: Sequence[int],
    *,
    area: Sequence[float] = (0.8, 1.2),
    ratio: Sequence[float] = (3 / 4, 4 / 3),
) -> tuple[int, int, int, int]:
    """Box of a random share of the area and ratio of sides, inside the image.

    Args:
        rng: Source of chance.
        size: (rows, columns) of the image.
        area: Range of the share, uniform; shares above 1 never fit.
        ratio: Range of columns / rows, log-uniform.

    Returns:
        First row, first column, rows, columns; after ten misses the largest box in
        the middle with a permitted ratio.
    """
    rows, columns = size
    for _ in range(10):
        wanted = rows * columns * (area[0] + (area[1] - area[0]) * rng.random())
        aspect = math.exp(
            math.log(ratio[0]) + math.log(ratio[1] / ratio[0]) * rng.random()
        )
        width, height = (
            round(math.sqrt(wanted * aspect)),
            round(math.sqrt(wanted / aspect)),
        )
        if 0 < width <= columns and 0 < height <= rows:
            top = int(rng.integers(rows - height + 1))
            left = int(rng.integers(columns - width + 1))
            return top, left, height, width
    height, width = rows, columns
    if columns / rows < ratio[0]:
        height = round(columns / ratio[0])
    elif columns / rows > ratio[1]:
        width = round(rows * ratio[1])
    return (rows - height) // 2, (columns - width) // 2, height, width


def draw_erased_box(
    rng: np.random.Generator,
    size: Sequence[int],
    *,
    area: Sequence[float] = (0.02, 0.33),
    ratio: Sequence[float] = (0.3, 3.3),
) -> tuple[int, int, int, int] | None:
    """Box to erase; None after ten that do not fit. Arguments as before."""
    rows, columns = size
    for _ in range(10):
        wanted = rows * columns * (area[0] + (area[1] - area[0]) * rng.random())
        aspect = math.exp(
            math.log(ratio[0]) + math.log(ratio[1] / ratio[0]) * rng.random()
        )
        height, width = (
            round(math.sqrt(wanted * aspect)),
            round(math.sqrt(wanted / aspect)),
        )
        if 0 < height < rows and 0 < width < columns:
            top = int(rng.integers(rows - height + 1))
            left = int(rng.integers(columns - width + 1))
            return top, left, height, width
    return None


def find_homography(start: NDArray, end: NDArray) -> NDArray[np.float64]:
    """Matrix (3, 3) that takes four points to four others.

    Args:
        start: Shape (4, 2), (x, y).
        end: Likewise, where they go.

    Raises:
        ValueError: Three of the points lie on a line.
    """
    rows, values = [], []
    for (x, y), (u, v) in zip(np.asarray(start), np.asarray(end), strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
        values += [u, v]
    try:
        solved = np.linalg.solve(np.array(rows, float), np.array(values, float))
    except np.linalg.LinAlgError as error:
        raise ValueError('three of four points lie on a line') from error
    return np.append(solved, 1.0).reshape(3, 3)


def warp_stack(
    stack: Tensor, matrix: NDArray[np.float64], *, is_nearest: bool = False
) -> Tensor:
    """Values of a stack at other places, 0 outside.

    Args:
        stack: Shape (K, Y, X).
        matrix: Shape (3, 3): (x, y, 1) in pixels of the result to those of the stack.
        is_nearest: Take the nearest pixel; else bilinear.
    """
    rows, columns = stack.shape[1:]
    x, y = np.meshgrid(np.arange(columns), np.arange(rows))
    place = np.stack([x, y, np.ones_like(x)], axis=-1) @ matrix.T
    place = place[..., :2] / place[..., 2:]
    scaled = (2 * place + 1) / np.array([columns, rows]) - 1
    grid = torch.as_tensor(scaled, dtype=stack.dtype)
    mode = 'nearest' if is_nearest else 'bilinear'
    return nn.functional.grid_sample(
        stack[None], grid[None], mode=mode, align_corners=False
    )[0]


def build_affine(
    angle_deg: float, shift: Sequence[float], size: Sequence[int]
) -> NDArray[np.float64]:
    """Matrix for :func:`warp_stack`: turned about the middle, then shifted.

    Args:
        angle_deg: Clockwise as displayed.
        shift: (rows, columns) in pixels.
        size: (rows, columns) of the image.
    """
    cos, sin = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    middle = np.array([(size[1] - 1) / 2, (size[0] - 1) / 2])
    turn = np.array([[cos, sin], [-sin, cos]])
    matrix = np.eye(3)
    matrix[:2, :2] = turn
    matrix[:2, 2] = middle - turn @ (middle + np.array([shift[1], shift[0]]))
    return matrix


def blur_stack(stack: Tensor, sigma: float, *, kernel: int = 5) -> Tensor:
    """Gaussian of a fixed, odd width in pixels; the border is mirrored."""
    half = kernel // 2
    t = torch.arange(-half, half + 1, dtype=stack.dtype)
    bell = torch.exp(-0.5 * (t / sigma) ** 2)
    bell = bell / bell.sum()
    padded = nn.functional.pad(stack[None], (half,) * 4, mode='reflect')[0][:, None]
    rows = nn.functional.conv2d(padded, bell.view(1, 1, -1, 1))
    return nn.functional.conv2d(rows, bell.view(1, 1, 1, -1))[:, 0]
