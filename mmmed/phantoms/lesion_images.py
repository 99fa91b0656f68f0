"""Liver MRI with one lesion, in ten sequences, that shows given signs.

Not here: which signs a type has (``lesion_signs``), files (``lesion_raw``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmmed.phantoms.lesion_signs import SEQUENCES
from mmmed.phantoms.smooth_fields import draw_smooth_field

# Liver in each sequence, and what it gains by contrast agent.
_LIVER = {
    'preartery': 0.45, 'lap': 0.55, 'pv': 0.75, 'delay': 0.68, 'ip': 0.5, 'op': 0.48,
    't2': 0.3, 'dwi_b0': 0.4, 'dwi_b1': 0.28, 'adc': 0.45,
}  # fmt: skip
_T2 = (0.02, 0.2, 0.42)
_UNIT = 1000.0
# ADC in 1e-6 mm2/s: liver 1350.
_ADC_UNIT = 3000.0


@dataclass(frozen=True)
class LesionShape:
    """Distance from the middle in radii, and where things inside are.

    Args:
        radius: Normalized distance (Z, Y, X): 1 on the edge.
        angle: Direction of each voxel in the slice, radians.
        texture: Smooth random field inside.
    """

    radius: NDArray[np.float32]
    angle: NDArray[np.float32]
    texture: NDArray[np.float32]


def draw_shape(
    rng: np.random.Generator,
    shape: Sequence[int],
    spacing: Sequence[float],
    size_mm: float,
    center: Sequence[float],
) -> LesionShape:
    """An irregular ellipsoid.

    Args:
        rng: Source of chance.
        shape: (Z, Y, X) in voxels.
        spacing: (Z, Y, X) in mm.
        size_mm: Its diameter.
        center: Index (Z, Y, X) of its middle.
    """
    axes = rng.uniform(0.85, 1.15, 3)
    wave = rng.uniform(0, 2 * np.pi, 2)
    z, y, x = np.meshgrid(
        *(
            ((np.arange(n, dtype=np.float32) - c) * mm) / (size_mm / 2 * axis)
            for n, c, mm, axis in zip(shape, center, spacing, axes, strict=True)
        ),
        indexing='ij',
    )
    angle = np.arctan2(y, x)
    bumps = 0.07 * np.sin(3 * angle + wave[0]) + 0.05 * np.sin(5 * angle + wave[1])
    radius = np.sqrt(z**2 + y**2 + x**2) * (1 + bumps)
    texture = draw_smooth_field(rng, shape, 3.0)
    return LesionShape(
        radius.astype(np.float32), angle.astype(np.float32), texture / 0.33
    )


def render_sequences(
    rng: np.random.Generator,
    lesion: LesionShape,
    signs: Mapping[str, int],
    sequences: Sequence[str] = SEQUENCES,
    *,
    noise: float = 0.06,
) -> dict[str, NDArray[np.int16]]:
    """Images of one lesion on the grid of its shape.

    Args:
        rng: Source of chance.
        lesion: Where it is.
        signs: Class index by sign.
        sequences: Which images; some of ``SEQUENCES``.
        noise: Standard deviation of the noise as a share of the liver's contrast.

    Returns:
        (Z, Y, X) by sequence, whole numbers >= 0; ADC in 1e-6 mm2/s.

    Raises:
        ValueError: No such sequence.
    """
    unknown = [name for name in sequences if name not in SEQUENCES]
    if unknown:
        raise ValueError(f'sequence {unknown[0]!r}, expected some of {SEQUENCES}')
    shape = lesion.radius.shape
    tissue = draw_smooth_field(rng, shape, 6.0)
    vessels = draw_smooth_field(rng, shape, 4.0) > 0.62
    # Every examination has its own contrast and its own coil, as real ones do.
    images = {}
    for name in SEQUENCES:
        gain, contrast = rng.uniform(0.7, 1.4), rng.uniform(0.75, 1.25)
        bias = 1 + 0.12 * draw_smooth_field(rng, shape, 20.0)
        grain = rng.standard_normal(shape, dtype=np.float32)
        if name not in sequences:
            continue
        change = _render_lesion(name, lesion, signs)
        image = _LIVER[name] + 0.05 * tissue
        bright = 0.15 if name in ('lap', 'pv', 'delay') else -0.1
        image = np.where(vessels & (lesion.radius > 1.1), image + bright, image)
        image = image + contrast * change
        if name == 'adc':  # quantitative: no gain, no coil
            image = (image + noise * grain) * _ADC_UNIT
        else:
            image = (image * bias + noise * grain) * gain * _UNIT
        images[name] = np.clip(np.rint(image), 0, 32000).astype(np.int16)
    return {name: images[name] for name in sequences}


def _render_lesion(
    name: str, lesion: LesionShape, signs: Mapping[str, int]
) -> NDArray[np.float32]:
    """Difference to the liver in one sequence."""
    r = lesion.radius
    inside = _step(1 - r)
    mosaic = 0.16 * lesion.texture * inside * signs['inner']
    if name in ('ip', 'op'):
        drop = -0.25 if name == 'op' and signs['fat'] else 0.0
        return (drop - 0.05) * inside
    if name in ('dwi_b0', 'dwi_b1'):
        level = 0.1 if name == 'dwi_b0' else (0.3 if signs['dwi'] else 0.0)
        return level * inside
    if name == 'adc':
        return (0.3 if signs['adc'] else -0.12) * inside
    if name == 't2':
        return _T2[signs['t2']] * inside + mosaic
    if name == 'preartery':
        return -0.2 * signs['t1'] * inside + mosaic
    return _render_contrast(name, lesion, signs, inside) + mosaic


def _render_contrast(
    name: str,
    lesion: LesionShape,
    signs: Mapping[str, int],
    inside: NDArray[np.float32],
) -> NDArray[np.float32]:
    r = lesion.radius
    rim = _step(1 - r) * _step(r - 0.72)
    core = _step(0.5 - r)
    nodules = rim * (np.sin(4 * lesion.angle) > 0.2)
    phase = ('lap', 'pv', 'delay').index(name)
    change = -0.12 * inside
    if phase == 0:
        change += (0.0, 0.34, 0.0, 0.0)[signs['ap']] * inside
        change += (0.0, 0.0, 0.36, 0.0)[signs['ap']] * rim
        change += (0.0, 0.0, 0.0, 0.42)[signs['ap']] * nodules
    elif phase == 1:
        change += (0.1, -0.14, -0.02)[signs['pvp']] * inside
        change += (0.0, 0.0, 0.3)[signs['pvp']] * rim
    else:
        change += (0.1, -0.14, 0.06)[signs['dp']] * inside
        shell = _step(1.08 - r) * _step(r - 0.9)
        change += (0.0, 0.0, 0.36)[signs['dp']] * shell
    if signs['prog']:  # fills from phase to phase
        change += 0.13 * phase * _step(0.9 - r)
    if signs['cent']:  # dark at first, bright at last
        change += (-0.15, 0.0, 0.28)[phase] * core
    return change.astype(np.float32)


def _step(value: NDArray[np.float32]) -> NDArray[np.float32]:
    """0 to 1 over a tenth of the radius: partial volume."""
    return np.clip(value * 10 + 0.5, 0, 1)
