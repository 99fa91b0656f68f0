"""What organs look like in scans, and where their real tumors are, as numbers.

Not here: figures (``mmmed.reporting.synthesis_figures``).
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from mmmed.functional.components import measure_components
from mmmed.functional.masks import find_box
from mmmed.preparation.findings import InputError
from mmmed.preparation.organ_scans import LoadedScan
from mmmed.synthesis import (
    LesionPrior,
    find_organ,
    find_vessels,
    fit_prior,
    measure_tissue,
    normalize_centers,
)

# Radii in mm at which evaluation divides lesions, and those of MedCraft's classes.
RADIUS_EDGES_MM = (5.0, 10.0, 20.0)
SIZE_CLASSES = ('tiny', 'small', 'medium', 'large')
_CLASS_EDGES_MM = (10.0, 25.0, 50.0)
_LAGS = (1, 2, 3, 4, 6, 8)
_TUMOR = 2


def measure_organ(name: str, scan: LoadedScan) -> dict[str, Any]:
    """Intensity statistics of the healthy part of an organ.

    Args:
        name: Of the scan.
        scan: With organ; tumors are left out.

    Returns:
        A row: ``volume_ml``, ``mean_hu``, ``sd_hu``, percentiles, ``level_hu`` and
        ``noise_hu`` (median and deviation without vessels and outliers),
        ``autocorrelation`` (per axis and lag, of that part), ``vessel_share`` and
        ``vessel_hu``.

    Raises:
        ValueError: There is no organ.
    """
    volume = scan.volume
    organ = find_organ(scan.mask, volume.spacing)
    if organ is None:
        raise ValueError(f'{name}: the mask holds no organ; check --label')
    hu = volume.array[organ.box]
    values = hu[organ.mask]
    tissue = measure_tissue(volume.array, organ)
    vessels = find_vessels(volume.array, organ, tissue)
    calm = organ.mask & ~vessels
    calm &= np.abs(hu - tissue.level_hu) < 3 * max(tissue.noise_hu, 1)
    names = ('p1', 'p5', 'p25', 'p50', 'p75', 'p95', 'p99')
    percentiles = np.percentile(values, [float(n[1:]) for n in names])
    return {
        'scan': name,
        'spacing_mm': list(volume.spacing),
        'volume_ml': organ.volume_ml,
        'mean_hu': float(values.mean(dtype=np.float64)),
        'sd_hu': float(values.std(dtype=np.float64)),
        **{f'{n}_hu': float(p) for n, p in zip(names, percentiles, strict=True)},
        'level_hu': tissue.level_hu,
        'noise_hu': tissue.noise_hu,
        'autocorrelation': {
            axis: measure_autocorrelation(hu, calm, k) for k, axis in enumerate('ZYX')
        },
        'vessel_share': float(vessels.sum() / organ.mask.sum()),
        'vessel_hu': float(hu[vessels].mean()) if vessels.any() else None,
    }


def measure_autocorrelation(
    hu: NDArray, mask: NDArray[np.bool_], axis: int
) -> dict[str, float | None]:
    """Correlation of voxels of a mask that lie some voxels apart along an axis.

    Returns:
        Lag in voxels, as text, to correlation; None with fewer than 100 pairs.
    """
    found: dict[str, float | None] = {}
    for lag in _LAGS:
        size = mask.shape[axis] - lag
        found[str(lag)] = None
        if size < 1:
            continue
        first = (slice(None),) * axis + (slice(0, size),)
        second = (slice(None),) * axis + (slice(lag, None),)
        both = mask[first] & mask[second]
        if both.sum() >= 100:
            a, b = hu[first][both].astype(float), hu[second][both].astype(float)
            if a.std() and b.std():
                found[str(lag)] = float(np.corrcoef(a, b)[0, 1])
    return found


def summarize_organs(rows: Sequence[dict[str, Any]], organ: str) -> dict[str, Any]:
    """Mean and deviation over scans, and the scans: the content of a calibration."""
    keys = ('volume_ml', 'mean_hu', 'sd_hu', 'level_hu', 'noise_hu', 'vessel_share')
    summary = {
        key: {
            'mean': float(np.mean([row[key] for row in rows])),
            'sd': float(np.std([row[key] for row in rows])),
        }
        for key in keys
    }
    return {'schema_version': 1, 'organ': organ, 'n': len(rows), **summary,
            'scans': list(rows)}  # fmt: skip


def list_tumors(
    name: str, scan: LoadedScan, *, min_voxels: int = 8
) -> list[dict[str, Any]]:
    """A row for each real tumor of a scan.

    Args:
        name: Of the scan.
        scan: With organ and tumor.
        min_voxels: Smaller components are left out.

    Returns:
        Rows with ``volume_mm3``, ``radius_mm`` (of the ball of that volume),
        ``size_class``, ``contrast_hu`` (mean against the organ's median),
        ``wall_mm`` (depth of the centre below the organ's surface), and the position
        ``z``, ``y``, ``x`` in the organ's box, from 0 (inferior, posterior, left) to
        1. Sizes are measured on the scan's own grid.
    """
    volume, spacing = scan.volume, scan.volume.spacing
    whole = scan.mask > 0
    box = find_box(whole)
    tumor = scan.mask == _TUMOR
    if box is None or not tumor.any():
        return []
    starts = [side.start for side in box]
    sizes = [side.stop - side.start for side in box]
    found = measure_components(tumor, spacing, connectivity=6)
    positions = normalize_centers(found.centroids, starts, sizes)
    depth_mm = distance_transform_edt(np.pad(whole[box], 1), sampling=spacing)
    healthy = volume.array[scan.mask == 1]
    level = float(np.median(healthy)) if healthy.size else float('nan')
    hu = volume.array[tumor].astype(float)
    means = np.bincount(found.labels, hu)[1:] / found.sizes
    rows: list[dict[str, Any]] = []
    for k in np.flatnonzero(found.sizes >= min_voxels):
        place = np.rint(found.centroids[k]).astype(int) - starts + 1
        radius = float(found.radii_mm[k])
        rows.append(
            {
                'scan': name,
                'tumor': len(rows) + 1,
                'voxels': int(found.sizes[k]),
                'volume_mm3': float(found.volumes[k]),
                'radius_mm': radius,
                'size_class': classify_radius(radius),
                'contrast_hu': float(means[k]) - level,
                'wall_mm': float(depth_mm[tuple(place)]),
                **dict(zip('zyx', map(float, positions[k]), strict=True)),
            }
        )
    return rows


def classify_radius(radius_mm: float) -> str:
    """Size class: up to 10 mm tiny, 25 small, 50 medium, above large.

    Source:
        MedCraft's analyser, whose classes it computes after resampling; here they
        are in true millimetres.
    """
    return SIZE_CLASSES[int(np.searchsorted(_CLASS_EDGES_MM, radius_mm))]


def summarize_tumors(
    rows: Sequence[dict[str, Any]], scans: Iterable[str]
) -> dict[str, Any]:
    """Counts of scans, tumors and size classes."""
    names = list(scans)
    per_scan = [sum(row['scan'] == name for row in rows) for name in names]
    radii = [row['radius_mm'] for row in rows]
    strata = np.bincount(
        np.searchsorted(RADIUS_EDGES_MM, radii), minlength=len(RADIUS_EDGES_MM) + 1
    )
    bounds = ('0-5', '5-10', '10-20', '20-')
    return {
        'schema_version': 1,
        'scans': len(names),
        'scans_with_tumor': sum(count > 0 for count in per_scan),
        'tumors': len(rows),
        'tumors_per_scan': per_scan,
        'radius_mm_strata': dict(zip(bounds, map(int, strata), strict=True)),
        'size_classes': {
            name: sum(row['size_class'] == name for row in rows)
            for name in SIZE_CLASSES
        },
        'median_radius_mm': float(np.median(radii)) if radii else None,
        'median_contrast_hu': (
            float(np.median([row['contrast_hu'] for row in rows])) if rows else None
        ),
    }


def fit_tumor_prior(
    rows: Sequence[dict[str, Any]], *, components: int, kind: str, seed: int
) -> LesionPrior:
    """Prior of positions from the rows of all scans.

    Raises:
        InputError: Too few tumors, or their positions are flat.
    """
    positions = np.array([[row[k] for k in 'zyx'] for row in rows]).reshape(-1, 3)
    try:
        return fit_prior(positions, components=components, kind=kind, seed=seed)
    except ValueError as error:
        raise InputError(f'{len(rows)} tumors cannot be fitted: {error}') from error
