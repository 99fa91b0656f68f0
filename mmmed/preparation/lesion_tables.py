"""Tables of all lesions of a prepared folder of volumes, in 3-D and by plane.

Not here: one subject (``lesion_rows``), anatomy (``lesion_regions``), figures
(``mmmed.reporting.lesion_report``).
"""

import csv
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.files import write_csv_atomic, write_text_atomic
from mmmed.functional.lesion_strata import (
    NO_LESION,
    STRATUM_EDGES,
    assign_strata,
    name_strata,
)
from mmmed.functional.packed_bits import unpack_mask
from mmmed.functional.planes import (
    PLANES,
    count_slices,
    drop_plane_axis,
    get_plane_axis,
)
from mmmed.preparation.findings import InputError
from mmmed.preparation.lesion_regions import RegionMap, summarize_regions
from mmmed.preparation.lesion_rows import (
    Row,
    list_columns,
    measure_slices,
    measure_volume,
)
from mmmed.progress import Progress
from mmmed.structures.manifest import Manifest
from mmmed.structures.volume_case import VolumeCase

VOLUME = 'volume'
# Rows by level and, with an atlas, by label.
_Found = tuple[dict[str, list[Row]], list[Row] | None]
_LEGACY_NAMES = {
    VOLUME: 'ATLAS_Lesion_information_for_3D_MRI_Subject.csv',
    **{p: f'ATLAS_{p.capitalize()}_Lesion_information.csv' for p in PLANES},
}
_UNITS = {VOLUME: 'mm³'} | dict.fromkeys(PLANES, 'mm²')


@dataclass
class LesionTables:
    """Every lesion of a prepared folder.

    Args:
        dataset: Name of the data set.
        semi_synthetic: Whether its manifest says so.
        rows: Rows of each level, ``'volume'`` first, then planes; by subject in the
            order of the manifest, then by slice.
        element_sizes: Size in mm3 or mm2 behind each row of ``rows``, likewise.
        slices: Slices of each plane, with or without a lesion, of all subjects.
        grids: Shape and spacing (Z, Y, X) of the subjects, each once.
        subjects: One row a subject: site, split, fold, size category and, with an
            atlas, location.
        regions: One row a subject and label; empty without an atlas.
    """

    dataset: str
    semi_synthetic: bool
    rows: dict[str, list[Row]]
    element_sizes: dict[str, list[float]]
    slices: dict[str, int]
    grids: list[tuple[tuple[int, ...], tuple[float, ...]]]
    subjects: list[Row] = field(default_factory=list)
    regions: list[Row] = field(default_factory=list)

    def get_sizes(self, level: str) -> NDArray[np.float64]:
        """Lesion size of every row of a level, mm3 or mm2."""
        counts = np.array([row['sum_voxel'] for row in self.rows[level]], np.float64)
        return counts * np.asarray(self.element_sizes[level], np.float64)

    def list_profiles(self) -> dict[str, tuple[NDArray, NDArray]]:
        """Where lesions lie, if all subjects share one grid; else nothing.

        Returns:
            Plane to positions of its slices in mm from the first, and the share of
            subjects with a lesion there.
        """
        if len(self.grids) != 1:
            return {}
        shape, spacing = self.grids[0]
        profiles = {}
        for plane in self.slices:
            axis = get_plane_axis(plane)
            numbers = [row['slice'] for row in self.rows[plane]]
            counts = np.bincount(numbers, minlength=shape[axis])
            positions = np.arange(shape[axis]) * spacing[axis]
            profiles[plane] = positions, counts / len(self.rows[VOLUME])
        return profiles

    def list_levels(self) -> list[tuple[str, NDArray[np.float64], str, list[Row], int]]:
        """Name, lesion sizes, their unit, size categories and entries of each level.

        Entries count those without a lesion too.
        """
        totals = {VOLUME: len(self.subjects), **self.slices}
        return [
            (
                level,
                self.get_sizes(level),
                _UNITS[level],
                self.count_strata(level),
                totals[level],
            )
            for level in self.rows
        ]

    def count_strata(self, level: str) -> list[Row]:
        """Tidy rows of the size categories of a level, smallest first."""
        names = name_strata(level, _UNITS[level])
        bounds = (0.0, *STRATUM_EDGES[level], None)
        strata = assign_strata(self.get_sizes(level), level)
        total = int((strata != NO_LESION).sum())
        return [
            {
                'level': level,
                'stratum': number,
                'name': name,
                'above': bounds[number],
                'up_to': bounds[number + 1],
                'count': int((strata == number).sum()),
                'share': int((strata == number).sum()) / total if total else None,
            }
            for number, name in enumerate(names)
        ]


def build_tables(
    folder: str | Path,
    planes: Sequence[str] = PLANES,
    *,
    regions: RegionMap | None = None,
    workers: int = 2,
    quiet: bool = False,
) -> LesionTables:
    """Measure the masks of all labelled volumes of a prepared folder.

    Args:
        folder: Prepared folder with a manifest of volumes.
        planes: Planes wanted beside 3-D.
        regions: Anatomy, for location; None without.
        workers: Threads.
        quiet: Show no progress.

    Raises:
        FileNotFoundError: There is no manifest.
        InputError: It lists slices, no case has a mask, or a mask is not what the
            manifest says.
    """
    folder = Path(folder)
    manifest = Manifest.read(folder / 'manifest.json')
    if manifest.unit != 'volume':
        raise InputError(f'{folder}: its manifest lists slices, expected volumes')
    cases = [case for case in manifest.cases if case.seg_map_path is not None]
    if not cases:
        raise InputError(f'{folder}: no case has a mask, there is nothing to count')
    tables = LesionTables(
        dataset=str(manifest.metainfo['dataset']),
        semi_synthetic=bool(manifest.metainfo.get('semi_synthetic', False)),
        rows={level: [] for level in (VOLUME, *planes)},
        element_sizes={level: [] for level in (VOLUME, *planes)},
        slices={p: sum(count_slices(case.shape, p) for case in cases) for p in planes},
        grids=sorted({(tuple(c.shape), tuple(c.spacing)) for c in cases}),
    )

    def measure(case: VolumeCase) -> _Found:
        return _measure_case(folder, case, planes, regions)

    executor = ThreadPoolExecutor(workers)
    try:
        with Progress('Measuring', len(cases), 'subject', quiet=quiet) as progress:
            for case, found in zip(cases, executor.map(measure, cases), strict=True):
                _add_case(tables, case, *found)
                progress.step()
    finally:
        executor.shutdown(cancel_futures=True)
    return tables


def write_tables(
    tables: LesionTables, out: str | Path, *, legacy_columns: bool = False
) -> dict[str, str]:
    """Write the tables as CSV.

    Args:
        tables: What was measured.
        out: Folder; made if absent.
        legacy_columns: Use the published file names and their heading ``slide`` for
            the slice number, for scripts that were written for them.

    Returns:
        File name to description.
    """
    out = Path(out)
    files: dict[str, str] = {}
    for level, rows in tables.rows.items():
        name = _LEGACY_NAMES[level] if legacy_columns else f'lesions_{level}.csv'
        columns = list_columns(per_slice=level != VOLUME)
        _write_table(out / name, columns, rows, legacy_columns=legacy_columns)
        what = 'subject' if level == VOLUME else f'{level} slice with a lesion'
        files[name] = f'one row a {what}, {len(rows):,} rows'
    write_csv_atomic(out / 'subjects.csv', tables.subjects)
    files['subjects.csv'] = 'size category of each subject, site and split'
    strata = [row for level in tables.rows for row in tables.count_strata(level)]
    write_csv_atomic(out / 'strata.csv', strata)
    files['strata.csv'] = 'counts by size category'
    if tables.regions:
        write_csv_atomic(out / 'regions.csv', tables.regions)
        files['regions.csv'] = 'one row a subject and label of the atlas'
    return files


def _measure_case(
    folder: Path, case: VolumeCase, planes: Sequence[str], regions: RegionMap | None
) -> _Found:
    mask = _read_mask(folder, case)
    rows = {VOLUME: [measure_volume(mask, case.case_id)]}
    rows |= {plane: measure_slices(mask, case.case_id, plane) for plane in planes}
    if regions is None:
        return rows, None
    counts = regions.count(mask, case.affine)
    return rows, regions.describe(counts, case.case_id)


def _read_mask(folder: Path, case: VolumeCase) -> NDArray[np.bool_]:
    path = folder.joinpath(*str(case.seg_map_path).split('/'))
    try:
        mask = unpack_mask(np.load(path, allow_pickle=False), case.shape)
    except (OSError, ValueError) as error:
        raise InputError(f'{path}: {error}; prepare the data again') from error
    if int(mask.sum()) != case.foreground_voxels:
        raise InputError(
            f'{path}: {int(mask.sum())} lesion voxels, the manifest says '
            f'{case.foreground_voxels}; prepare the data again'
        )
    return mask


def _add_case(
    tables: LesionTables,
    case: VolumeCase,
    rows: dict[str, list[Row]],
    regions: list[Row] | None,
) -> None:
    for level, found in rows.items():
        kept = case.spacing
        if level != VOLUME:
            kept = drop_plane_axis(case.spacing, level)  # type: ignore[assignment]
        tables.rows[level] += found
        tables.element_sizes[level] += [float(np.prod(kept))] * len(found)
    size = rows[VOLUME][0]['sum_voxel'] * float(np.prod(case.spacing))
    stratum = int(assign_strata(size, VOLUME))
    names = name_strata(VOLUME, _UNITS[VOLUME])
    row = {
        'subject_name': case.case_id,
        'site': case.extra.get('site'),
        'split': case.split,
        'fold': case.fold,
        'number_of_lesion': rows[VOLUME][0]['number_of_lesion'],
        'volume_mm3': size,
        'stratum': stratum,
        'size_category': names[stratum] if stratum >= 0 else 'no lesion',
    }
    if regions is not None:
        row |= summarize_regions(regions)
        tables.regions += regions
    tables.subjects.append(row)


def _write_table(
    path: Path, columns: Sequence[str], rows: Sequence[Row], *, legacy_columns: bool
) -> None:
    """CSV with its heading even without rows; an absent lesion is an empty cell."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator='\n')
    renamed: dict[str, Any] = {'slice': 'slide'} if legacy_columns else {}
    writer.writerow([renamed.get(name, name) for name in columns])
    writer.writerows(
        ['' if row[name] is None else row[name] for name in columns] for row in rows
    )
    write_text_atomic(path, stream.getvalue())
