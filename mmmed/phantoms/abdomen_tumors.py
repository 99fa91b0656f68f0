"""Tumors of generated abdomens: blobs with a rim, darker or brighter than the organ.

Drawn without ``mmmed.synthesis``, so that they can stand for what it did not make.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from mmmed.phantoms.abdomen_grid import Array, BodyGrid

TUMOR_ORGANS = {
    'liver': ('liver',),
    'pancreas': ('pancreas',),
    'kidney': ('left_kidney', 'right_kidney'),
}
_MEDIAN_MM, _LOG_DEVIATION, _RANGE_MM = 9.0, 0.55, (3.0, 32.0)
_BRIGHT_SHARE = 0.1
_ATTEMPTS = 30


def draw_tumors(
    rng: np.random.Generator,
    grid: BodyGrid,
    hu: Array,
    organ: NDArray[np.bool_],
    most: int,
) -> NDArray[np.uint8]:
    """Draw tumors into an image.

    Args:
        rng: Source of randomness.
        grid: Of the image.
        hu: CT numbers without noise, changed in place.
        organ: Where they may be; they end at its border.
        most: Largest number.

    Returns:
        Number of the tumor in each voxel, from 1; all 0 without organ or tumors.
    """
    tumors = np.zeros(grid.shape, np.uint8)
    count = int(rng.integers(1, most + 1)) if most else 0
    if not count or not organ.any():
        return tumors
    depth_mm = distance_transform_edt(organ, sampling=grid.spacing)
    places = np.argwhere(organ)
    bumps = grid.draw_bumps(rng, 12)
    for number in range(1, count + 1):
        radius = float(_MEDIAN_MM * np.exp(rng.normal(0, _LOG_DEVIATION)))
        radius = min(max(radius, _RANGE_MM[0]), _RANGE_MM[1])
        for _ in range(_ATTEMPTS):
            place = tuple(places[rng.integers(len(places))])
            if depth_mm[place] > 0.5 * radius and not tumors[place]:
                _draw_tumor(rng, grid, hu, organ, tumors, place, radius, number, bumps)
                break
    return tumors


def _draw_tumor(
    rng: np.random.Generator, grid: BodyGrid, hu: Array, organ: NDArray[np.bool_],
    tumors: NDArray[np.uint8], place: tuple[int, ...], radius: float, number: int,
    bumps: Array,
) -> None:  # fmt: skip
    center = np.array(
        [grid.s.flat[place[0]], grid.a.flat[place[1]], grid.r.flat[place[2]]]
    )
    box = grid.find_box(center - 1.8 * radius - 4, center + 1.8 * radius + 4)
    part = grid.crop(box)
    radii = radius * rng.uniform(0.8, 1.25, 3)
    inside = part.measure_ellipsoid(center, radii, float(rng.uniform(0, 180)))
    inside = inside + 0.12 * radius * bumps[box]
    share = part.soften(inside) * organ[box]
    change = -float(rng.uniform(28, 70))
    if rng.random() < _BRIGHT_SHARE:
        change = -0.6 * change
    hu[box] += share * change
    if radius > 10 and change < 0:
        # Vital tissue around a core of fluid, as metastases have.
        core = part.soften(inside - 0.55 * radius) * organ[box]
        hu[box] += core * change * 0.4
        rim = part.soften(1.5 - np.abs(inside - 1)) * organ[box]
        hu[box] += rim * 22
    tumors[box][(share > 0.5) & (tumors[box] == 0)] = number
