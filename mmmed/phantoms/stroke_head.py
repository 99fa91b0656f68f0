"""One subject of the stroke cohort: the template made different, with its lesions.

Plausible, not real: each anatomy is the MNI template after a smooth deformation, with
the contrast, shading and noise of an imaginary scanner, and lesions as dark and soft
as old strokes are on T1. Not here: files (``atlas_raw``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mmmed.phantoms.brain_space import CSF, GREY, WHITE, BrainSpace
from mmmed.phantoms.smooth_fields import draw_smooth_field
from mmmed.phantoms.stroke_lesions import draw_lesions, find_margin_box
from mmmed.phantoms.stroke_masks import LesionMask
from mmmed.phantoms.stroke_plan import SubjectPlan

_WARP_KNOTS_MM, _WARP_MM = 28.0, 2.2
_BIAS_KNOTS_MM = 75.0
_RIM_MM = 4.0


@dataclass(frozen=True)
class Scanner:
    """How a site's images look: the same for all its subjects.

    Args:
        csf: Brightness of fluid relative to white matter.
        grey: Likewise of grey matter.
        gain: Stored value of white matter.
        bias: Strength of the shading.
        noise: Deviation relative to white matter.
        blur_mm: Deviation of the point spread.
    """

    csf: float
    grey: float
    gain: float
    bias: float
    noise: float
    blur_mm: float

    @classmethod
    def draw(cls, seed: int, site: int) -> 'Scanner':
        """Scanner of a site, decided by seed and number."""
        rng = np.random.default_rng(np.random.SeedSequence([seed, 1, site]))
        return cls(
            csf=rng.uniform(0.18, 0.34),
            grey=rng.uniform(0.66, 0.8),
            gain=rng.uniform(300, 1400),
            bias=rng.uniform(0.1, 0.35),
            noise=rng.uniform(0.02, 0.045),
            blur_mm=rng.uniform(0.0, 0.6),
        )


@dataclass(frozen=True, eq=False)
class StrokePhantom:
    """Image and exact mask of one subject.

    Args:
        plan: Who it is.
        image: (Z, Y, X) int16; 0 outside the head.
        mask: (Z, Y, X), where the lesions are.
    """

    plan: SubjectPlan
    image: NDArray[np.int16]
    mask: NDArray[np.bool_]


def make_stroke_head(
    plan: SubjectPlan,
    space: BrainSpace,
    masks: Sequence[LesionMask] = (),
    *,
    seed: int = 0,
) -> StrokePhantom:
    """Draw one subject; seed and plan decide every bit.

    Args:
        plan: From :func:`~mmmed.phantoms.stroke_plan.plan_cohort`.
        space: Anatomy and grid.
        masks: Raw material that the plan counts on.
        seed: Of the cohort, >= 0.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, 2, plan.subject]))
    scanner = Scanner.draw(seed, plan.site)
    lesion = draw_lesions(rng, plan, space, masks)
    anatomy = _deform(rng, space)
    image = _apply_contrast(anatomy, scanner)
    # What the deformation moved out of the brain is no lesion.
    kept = lesion & (anatomy > CSF / 2)
    lesion = kept if kept.any() else lesion
    _darken(rng, image, lesion, scanner, space.spacing_mm)
    inside = anatomy > 5
    if scanner.blur_mm > 0:
        image = ndimage.gaussian_filter(image, scanner.blur_mm / space.spacing_mm)
    bias = draw_smooth_field(rng, image.shape, _BIAS_KNOTS_MM / space.spacing_mm)
    image *= np.exp(np.float32(scanner.bias) * bias)
    _add_noise(rng, image, scanner.noise)
    image *= np.float32(scanner.gain)
    stored = np.where(inside, np.rint(image).clip(1, 32767), 0).astype(np.int16)
    return StrokePhantom(plan, stored, lesion)


def _deform(rng: np.random.Generator, space: BrainSpace) -> NDArray[np.float32]:
    """The template seen through a smooth displacement and a slight stretch."""
    points = []
    knots = _WARP_KNOTS_MM / space.spacing_mm
    strength = np.float32(_WARP_MM / space.spacing_mm / 0.33)
    for axis, size in enumerate(space.shape):
        shift = draw_smooth_field(rng, space.shape, knots)
        shift *= strength
        index = np.arange(size, dtype=np.float32)
        middle = (size - 1) / 2
        stretched = middle + (index - middle) * np.float32(rng.uniform(0.975, 1.025))
        along = [1, 1, 1]
        along[axis] = -1
        shift += stretched.reshape(along)
        points.append(shift)
    warped: NDArray[np.float32] = ndimage.map_coordinates(
        space.head, points, order=1, output=np.float32
    )
    return warped


def _apply_contrast(
    anatomy: NDArray[np.float32], scanner: Scanner
) -> NDArray[np.float32]:
    """Tissue of the template to brightness at a site, white matter being 1."""
    table = np.interp(
        np.arange(1024) / 4,
        [0, CSF, GREY, WHITE, 255],
        [0, scanner.csf, scanner.grey, 1, 1.1],
    ).astype(np.float32)
    return table[(anatomy.clip(0, 255) * 4).astype(np.uint16)]


def _darken(
    rng: np.random.Generator,
    image: NDArray[np.float32],
    lesion: NDArray[np.bool_],
    scanner: Scanner,
    spacing_mm: float,
) -> None:
    """Old stroke in place: cavity as dark as fluid, soft edge, scar around it."""
    box = find_margin_box(lesion, round(3 * _RIM_MM / spacing_mm) + 1)
    if box is None:
        return
    inner = lesion[box].astype(np.float32)
    part = image[box]
    core = ndimage.gaussian_filter(inner, 0.8 / spacing_mm)
    rim = ndimage.gaussian_filter(inner, _RIM_MM / spacing_mm)
    # The cavity is uneven: strands of tissue remain, most near its border.
    texture = draw_smooth_field(rng, inner.shape, max(9.0 / spacing_mm, 1.5))
    strength = rng.uniform(0.72, 1.0) + 0.35 * texture
    depth = core * np.clip(strength, 0.4, 1) * np.clip(0.55 + 0.6 * rim, 0.7, 1)
    fluid = np.float32(scanner.csf * rng.uniform(0.95, 1.25))
    scar = np.float32(rng.uniform(0.05, 0.22)) * np.minimum(rim * 1.6, 1)
    part *= 1 - scar * (1 - core)
    target = np.minimum(part, fluid)
    part += depth.astype(np.float32) * (target - part)


def _add_noise(
    rng: np.random.Generator, image: NDArray[np.float32], deviation: float
) -> None:
    """Rician noise in place: length of the image with noise in two channels."""
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    noise *= np.float32(deviation)
    image += noise
    np.square(image, out=image)
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    noise *= np.float32(deviation)
    image += np.square(noise, out=noise)
    np.sqrt(image, out=image)
