"""Placement: where in an organ a lesion may lie. Attempts are counted, never endless.

Not here: a prior that was fitted to real lesions (``prior``), how many lesions there
are and how large (``drawing``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.masks import Box
from mmmed.synthesis.organ import OrganRegion
from mmmed.synthesis.prior import LesionPrior
from mmmed.synthesis.recipe import LesionRecipe

# Of the prior, most of whose samples may fall beside the organ.
_PRIOR_TRIES = 8


@dataclass
class LesionPlacer:
    """Finds centres one after another, and remembers them.

    Args:
        organ: Region of the organ.
        recipe: Rules of the placement.
        vessels: Mask of the organ's box, or ``None``.
        prior: For the placement ``prior``.
    """

    organ: OrganRegion
    recipe: LesionRecipe
    vessels: NDArray[np.bool_] | None = None
    prior: LesionPrior | None = None
    _balls: list[tuple[NDArray, float]] = field(default_factory=list)
    _share: NDArray | None = None

    def place(
        self, rng: np.random.Generator, radius_mm: float, reach_mm: float
    ) -> tuple[NDArray[np.float64], float] | None:
        """A centre for a lesion.

        Args:
            rng: Source of the attempts.
            radius_mm: Mean radius, for the distance to the wall.
            reach_mm: Radius of the ball around the centre that holds the lesion.

        Returns:
            Index (Z, Y, X) in the organ's box and the share of vessels around it, or
            ``None`` if no attempt was accepted.
        """
        best: tuple[NDArray[np.float64], float] | None = None
        for _ in range(self.recipe.attempts):
            voxel = self._draw_voxel(rng)
            if voxel is None or not self._is_accepted(voxel, radius_mm, reach_mm):
                continue
            share = self._measure_vessels(voxel, radius_mm)
            if best is None or share < best[1]:
                best = voxel.astype(float), share
            if share == 0:
                break
        if best is None or best[1] > self.recipe.max_vessel_share:
            return None
        if not self.recipe.can_overlap:
            self._balls.append((best[0] * self.organ.spacing, reach_mm))
        return best

    def _draw_voxel(self, rng: np.random.Generator) -> NDArray[np.int64] | None:
        if self.recipe.placement == 'central':
            return draw_central_voxel(
                rng, self.organ, self.recipe.central_band, self.recipe.wall_mm
            )
        if self.recipe.placement == 'prior' and self.prior is not None:
            return self._draw_from_prior(rng, self.prior)
        if self._share is None:
            self._share = np.cumsum(self.organ.counts)
        return draw_voxel(rng, self.organ, self._share)

    def _draw_from_prior(
        self, rng: np.random.Generator, prior: LesionPrior
    ) -> NDArray[np.int64] | None:
        size = np.array(self.organ.mask.shape)
        samples = np.floor(prior.sample(rng, _PRIOR_TRIES) * size).astype(np.int64)
        for voxel in samples[((samples >= 0) & (samples < size)).all(axis=1)]:
            if self.organ.mask[tuple(voxel)]:
                return voxel
        return None

    def _is_accepted(
        self, voxel: NDArray[np.int64], radius_mm: float, reach_mm: float
    ) -> bool:
        organ, recipe = self.organ, self.recipe
        if organ.tumor is not None:
            around = find_neighbourhood(voxel, reach_mm, organ)
            if organ.tumor[around].any():
                return False
        center = voxel * np.array(organ.spacing)
        for other, reach in self._balls:
            if np.linalg.norm(center - other) < reach + reach_mm + recipe.gap_mm:
                return False
        if recipe.placement not in ('depth', 'prior') or recipe.depth_share == 0:
            return True
        wanted = recipe.depth_share * radius_mm
        return measure_depth(voxel, organ, limit_mm=wanted) >= wanted

    def _measure_vessels(self, voxel: NDArray[np.int64], radius_mm: float) -> float:
        if self.vessels is None:
            return 0.0
        return float(
            self.vessels[find_neighbourhood(voxel, radius_mm, self.organ)].mean()
        )


def draw_voxel(
    rng: np.random.Generator, organ: OrganRegion, cumulated: NDArray
) -> NDArray[np.int64] | None:
    """A voxel of the organ, each as likely as any other; ``None`` without a voxel."""
    if not cumulated[-1]:
        return None
    place = int(rng.integers(int(cumulated[-1])))
    z = int(np.searchsorted(cumulated, place, side='right'))
    before = int(cumulated[z - 1]) if z else 0
    found = np.flatnonzero(organ.mask[z])[place - before]
    return np.array([z, *divmod(int(found), organ.mask.shape[2])])


def draw_central_voxel(
    rng: np.random.Generator,
    organ: OrganRegion,
    band: Sequence[float],
    wall_mm: float,
) -> NDArray[np.int64] | None:
    """The published rule: a slice of the central band, then a voxel off its wall.

    Returns:
        ``None`` if nothing of the slice is left after the erosion; the next attempt
        draws another slice. The published code raises there.
    """
    depth = organ.mask.shape[0] - 1
    low, high = band
    z = round((low + (high - low) * rng.random()) * depth)
    reach = [round(wall_mm / length) for length in organ.spacing[1:]]
    eroded = erode_plane(organ.mask[z], reach)
    found = eroded.ravel().nonzero()[0]
    if not found.size:
        return None
    y, x = divmod(int(found[rng.integers(found.size)]), eroded.shape[1])
    return np.array([z, y, x])


def erode_plane(plane: NDArray[np.bool_], reach: Sequence[int]) -> NDArray[np.bool_]:
    """Voxels whose rectangle of ``2 * reach + 1`` lies in the mask; outside is 0."""
    eroded = plane.copy()
    for axis, steps in enumerate(reach):
        along = eroded.T if axis else eroded
        before = along.copy()
        for step in range(1, min(steps, len(along)) + 1):
            along[step:] &= before[:-step]
            along[:-step] &= before[step:]
        along[:steps] = False
        along[max(len(along) - steps, 0) :] = False
    return eroded


def find_neighbourhood(
    voxel: NDArray[np.int64], reach_mm: float, organ: OrganRegion
) -> Box:
    """Box around a voxel, cut at the borders of the organ's box."""
    box = []
    for place, length, size in zip(
        voxel.tolist(), organ.spacing, organ.mask.shape, strict=True
    ):
        steps = int(reach_mm / length)
        box.append(slice(max(0, place - steps), min(size, place + steps + 1)))
    return tuple(box)


def measure_depth(
    voxel: NDArray[np.int64], organ: OrganRegion, *, limit_mm: float
) -> float:
    """Distance to the nearest voxel outside the organ in mm, at most ``limit_mm``.

    Exact, but looks only as far as the limit: a distance transform of the whole organ
    would cost more than all lesions together. A real tumor counts as organ.
    """
    spacing, size = np.array(organ.spacing), np.array(organ.mask.shape)
    # Where the organ ends is outside its box too, by one voxel.
    beyond = (np.minimum(voxel + 1, size - voxel) * spacing).min()
    box = find_neighbourhood(voxel, limit_mm, organ)
    outside = ~organ.mask[box]
    if organ.tumor is not None:
        outside &= ~organ.tumor[box]
    places = np.argwhere(outside)
    distance = min(limit_mm, float(beyond))
    if not len(places):
        return distance
    away = (places + [part.start for part in box] - voxel) * spacing
    return min(distance, float(np.sqrt((away**2).sum(axis=1).min())))
