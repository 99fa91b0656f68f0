"""Shapes of stroke lesions: real masks moved and cut, or grown from nothing.

Not here: which lesion a subject gets (``stroke_plan``), how it looks in the image
(``stroke_head``).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.masks import find_box
from mmmed.phantoms.brain_space import BrainSpace
from mmmed.phantoms.smooth_fields import draw_smooth_field
from mmmed.phantoms.stroke_masks import LesionMask, place_mask
from mmmed.phantoms.stroke_plan import Part, SubjectPlan

_TURN_DEG = 5.0
_SHIFT_MM = 3.0
_SCALES = (0.8, 1.25)
_SMALLEST_COPY = 0.18


def draw_lesions(
    rng: np.random.Generator,
    plan: SubjectPlan,
    space: BrainSpace,
    masks: Sequence[LesionMask],
) -> NDArray[np.bool_]:
    """All lesions of a subject.

    Args:
        rng: Of the subject.
        plan: What is wanted.
        space: Anatomy and grid; lesions stay inside the brain.
        masks: Raw material that the plan counts on.

    Returns:
        (Z, Y, X), on the grid of ``space``. Never empty if the plan has parts: one
        too small for the grid still takes a voxel.
    """
    lesion = np.zeros(space.shape, bool)
    for part in plan.parts:
        lesion |= _draw_part(rng, part, space, masks)
    return lesion


def _draw_part(
    rng: np.random.Generator,
    part: Part,
    space: BrainSpace,
    masks: Sequence[LesionMask],
) -> NDArray[np.bool_]:
    wanted = max(1, round(part.volume_mm3 / space.spacing_mm**3))
    if part.kind != 'generated':
        raw = masks[part.mask]
        move = _draw_move(rng, part, raw, space)
        placed = place_mask(raw, move, space.affine, space.shape) & space.brain
        if part.kind != 'piece' and placed.any():
            return placed
        if placed.any():
            return _grow(rng, placed, wanted, space, roughness=0.5)
    allowed = space.parenchyma & _select_side(space, right=part.mirror)
    return _grow(rng, allowed, wanted, space, roughness=0.35)


def _draw_move(
    rng: np.random.Generator, part: Part, raw: LesionMask, space: BrainSpace
) -> NDArray[np.float64]:
    """Mirror, turn, scale and shift about the center of the mask, in mm."""
    scale = (part.volume_mm3 / raw.volume_mm3) ** (1 / 3)
    if part.kind == 'small':
        scale = max(scale, _SMALLEST_COPY)
    else:
        low, high = _SCALES
        scale = float(np.clip(scale, low, high)) if part.kind == 'whole' else 1.0
    center = raw.center_mm
    turns = np.deg2rad(rng.normal(0, _TURN_DEG, 3).clip(-12, 12))
    stretch = scale * np.exp(rng.normal(0, 0.05, 3).clip(-0.12, 0.12))
    target = center + rng.normal(0, _SHIFT_MM, 3).clip(-8, 8)
    if part.kind == 'small':
        # A small stroke anywhere on this side, not in the middle of a large one.
        seeds = np.argwhere(space.parenchyma & _select_side(space, right=False))
        index = seeds[rng.integers(len(seeds))]
        target = (space.affine @ [*index, 1.0])[:3]
    move = np.eye(4)
    move[:3, :3] = _rotate(turns) * stretch
    move[:3, 3] = target - move[:3, :3] @ center
    mirror = np.diag([-1.0 if part.mirror else 1.0, 1, 1, 1])
    return mirror @ move


def _rotate(turns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation matrix (x, y, z) from three angles in radians."""
    matrix = np.eye(3)
    for axis, angle in enumerate(turns):
        first, second = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[[first, second], [first, second]] = np.cos(angle)
        turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
        matrix = turn @ matrix
    return matrix


def _select_side(space: BrainSpace, *, right: bool) -> NDArray[np.bool_]:
    """One hemisphere without the midline, shape (1, 1, X)."""
    x_mm = space.affine[0, 2] * np.arange(space.shape[2]) + space.affine[0, 3]
    side = x_mm > 2 if right else x_mm < -2
    return np.asarray(side)[None, None, :]


def _grow(
    rng: np.random.Generator,
    allowed: NDArray[np.bool_],
    wanted: int,
    space: BrainSpace,
    *,
    roughness: float,
) -> NDArray[np.bool_]:
    """A lesion of exactly the wanted voxels, where these are allowed.

    The voxels nearest to a random place are taken, where distance is stretched at
    random and made rough by noise: an irregular blob that follows the border of what
    is allowed, now and then with an island.

    Args:
        rng: Source of place and shape.
        allowed: (Z, Y, X), not empty.
        wanted: Voxels, >= 1; all that are allowed if there are fewer.
        space: For the voxel size.
        roughness: Deviation of the distance by noise, relative to the radius.
    """
    seeds = np.flatnonzero(allowed)
    seed = np.unravel_index(seeds[rng.integers(len(seeds))], allowed.shape)
    radius = (wanted * 3 / (4 * np.pi)) ** (1 / 3)
    stretch = np.exp(rng.normal(0, 0.25, 3).clip(-0.5, 0.5))
    # Far enough for any stretch, and more where little is allowed nearby.
    for reach in (2.5 * radius + 3, 6 * radius + 8, float(max(allowed.shape))):
        box = tuple(slice(max(0, int(s - reach)), int(s + reach) + 1) for s in seed)
        if allowed[box].sum() >= min(2 * wanted, len(seeds)):
            break
    inside = allowed[box]
    away = np.zeros(inside.shape, np.float32)
    for axis, (part, place) in enumerate(zip(box, seed, strict=True)):
        offset = (np.arange(part.start, part.start + inside.shape[axis]) - place) ** 2
        along = [1, 1, 1]
        along[axis] = -1
        away += (offset * stretch[axis]).reshape(along).astype(np.float32)
    score = np.sqrt(away) / np.float32(radius)
    # Noise as coarse as half the radius shapes the outline; finer noise roughens it.
    for knots, share in ((max(radius * 0.8, 1.5), 1.0), (max(radius * 0.25, 1.5), 0.5)):
        noise = draw_smooth_field(rng, inside.shape, float(knots))
        score += np.float32(3 * roughness * share) * noise
    grown = np.zeros(allowed.shape, bool)
    score[~inside] = np.inf
    count = min(wanted, int(inside.sum()))
    chosen = np.argpartition(score, count - 1, axis=None)[:count]
    part_of = np.zeros(inside.shape, bool)
    part_of.flat[chosen] = True
    grown[box] = part_of
    return grown


def find_margin_box(
    mask: NDArray[np.bool_], margin: int
) -> tuple[slice, slice, slice] | None:
    """Smallest box around a mask, widened by some voxels; None if it is empty."""
    box = find_box(mask)
    if box is None:
        return None
    first, second, third = (
        slice(max(0, part.start - margin), min(size, part.stop + margin))
        for part, size in zip(box, mask.shape, strict=True)
    )
    return first, second, third
