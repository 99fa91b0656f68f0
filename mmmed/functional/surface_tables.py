"""Size of the surface inside one cell of 2 x 2 (x 2) neighbouring elements.

The surface of a mask is cut into small elements, one per cell whose corners are the
centres of neighbouring pixels or voxels and are not all inside or all outside. Here:
how long (2-D) or large (3-D) the piece in such a cell is, for each of the 16 or 256
ways to fill its corners. Not here: finding the cells (``surface``).
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

Point = tuple[int, ...]
Triangle = tuple[Point, Point, Point]
# Area vectors of the triangles of a cell: its components per axis.
Vectors = list[list[float]]


@lru_cache(maxsize=256)
def compute_surface_table(spacing: tuple[float, ...]) -> NDArray[np.float64]:
    """Length or area of the surface inside a cell, by the code of its corners.

    Bit ``k`` of a code tells whether corner ``k`` is inside, where the binary digits
    of ``k`` are the corner's offsets along the axes, the first axis most significant.

    The surface separates the corners of the rarer kind (inside or outside; inside if
    there are four of eight), each edge-connected group on its own, as marching cubes
    and marching squares do. It passes half-way between an inside and an outside
    corner. In 3-D these points form one loop per group; where the loop is not flat it
    is filled by the triangles of greatest total area in a cell of unit spacing.

    Args:
        spacing: Two or three lengths in mm, in array-axis order.

    Returns:
        Shape (16,) in mm or (256,) in mm2; 0 where no surface passes. Read-only.

    Raises:
        ValueError: Other than two or three axes.

    Source:
        Lorensen and Cline 1987, doi:10.1145/37402.37422 (marching cubes); equal to the
        tables of surface-distance (Nikolov et al. 2018, arXiv:1809.04430).
    """
    if len(spacing) not in (2, 3):
        raise ValueError(f'spacing is {spacing}, expected two or three lengths')
    if len(spacing) == 2:
        vectors, index = _list_segments()
        sizes = np.sqrt(np.square(vectors * spacing).sum(axis=1))
    else:
        vectors, index = _list_area_vectors()
        # An area vector scales with the spacing of the axes it is not along.
        scaled = vectors * np.roll(spacing, -1) * np.roll(spacing, 1)
        # One by one: rounded as in the reference, where rounding decides a percentile.
        sizes = np.array([np.linalg.norm(vector) for vector in scaled])
    table: NDArray[np.float64] = sizes[index].sum(axis=1)
    table.flags.writeable = False
    return table


@lru_cache(maxsize=1)
def _list_segments() -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Segments in a unit square, and which (up to two) each code has, (16, 2)."""
    vectors = np.zeros((16, 2, 2))
    for code in range(16):
        for index, group in enumerate(_group_corners(code, 2)):
            start, end = _list_crossings(group, 2)
            vectors[code, index] = np.subtract(end, start) / 2
    return _index_vectors(vectors)


@lru_cache(maxsize=1)
def _list_area_vectors() -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Triangles in a unit cube, and which (up to four) each code has, (256, 4)."""
    vectors = np.zeros((256, 4, 3))
    for code in range(256):
        triangles = [
            vector
            for group in _group_corners(code, 3)
            for vector in _fill_loop(_order_loop(_list_crossings(group, 3)))
        ]
        vectors[code, : len(triangles)] = np.reshape(triangles, (-1, 3))
    return _index_vectors(vectors)


def _index_vectors(
    vectors: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Different vectors but for signs, and the place of each among them."""
    codes, most, axes = vectors.shape
    unique, index = np.unique(
        np.abs(vectors).reshape(-1, axes), axis=0, return_inverse=True
    )
    return unique, index.reshape(codes, most)


def _group_corners(code: int, dimensions: int) -> list[set[Point]]:
    """Edge-connected groups of the corners of the rarer kind."""
    corners = list(product((0, 2), repeat=dimensions))
    inside = {corner for bit, corner in enumerate(corners) if code >> bit & 1}
    left = inside if 2 * len(inside) <= len(corners) else set(corners) - inside
    groups = []
    while left:
        group, grown = set(), {min(left)}
        while grown:
            group |= grown
            left = left - grown
            grown = {corner for corner in left if _touches(corner, group)}
        groups.append(group)
    return groups


def _touches(corner: Point, group: set[Point]) -> bool:
    return any(sum(map(int.__ne__, corner, other)) == 1 for other in group)


def _list_crossings(group: set[Point], dimensions: int) -> list[Point]:
    """Points half-way from corners of a group to neighbours outside it.

    Corner coordinates are 0 and 2 here, so that these points are integers: 1 marks
    the axis of the cut edge.
    """
    return [
        (*corner[:axis], 1, *corner[axis + 1 :])
        for corner in sorted(group)
        for axis in range(dimensions)
        if (*corner[:axis], 2 - corner[axis], *corner[axis + 1 :]) not in group
    ]


def _order_loop(points: list[Point]) -> list[Point]:
    """Points in the order of the loop: consecutive ones lie on one face of the cube.

    A face holds none or two crossings of a group of at most four corners.
    """
    loop, left = points[:1], points[1:]
    while left:
        loop.append(next(p for p in left if _share_face(p, loop[-1])))
        left.remove(loop[-1])
    return loop


def _share_face(point: Point, other: Point) -> bool:
    return any(a == b != 1 for a, b in zip(point, other, strict=True))


def _fill_loop(loop: list[Point]) -> Vectors:
    """Area vectors of the triangles of greatest total area that fill a loop.

    Of six corners at most, so at most 14 ways. Ways of equal area have equal sums of
    lengths for every spacing: they differ in how they cut a flat part.
    """
    choices = [[_span(*triangle) for triangle in way] for way in _triangulate(loop)]
    return max(choices, key=lambda way: round(float(np.sum(_norms(way))), 9))


def _norms(vectors: Vectors) -> NDArray[np.float64]:
    return np.sqrt(np.square(vectors).sum(axis=-1))


def _triangulate(loop: list[Point]) -> Iterator[list[Triangle]]:
    """Every way to cut a polygon into triangles between its corners."""
    if len(loop) < 3:
        yield []
        return
    for middle in range(1, len(loop) - 1):
        for left in _triangulate(loop[: middle + 1]):
            for right in _triangulate(loop[middle:]):
                yield [(loop[0], loop[middle], loop[-1]), *left, *right]


def _span(a: Point, b: Point, c: Point) -> list[float]:
    """Area vector of a triangle: half the cross product, in a unit cube."""
    (u0, u1, u2), (v0, v1, v2) = (
        [q - p for p, q in zip(start, end, strict=True)]
        for start, end in pairwise((a, b, c))
    )
    # Coordinates are doubled, hence 8 and not 2.
    return [
        (u1 * v2 - u2 * v1) / 8,
        (u2 * v0 - u0 * v2) / 8,
        (u0 * v1 - u1 * v0) / 8,
    ]
