"""Chronic stroke on T1 MRI (ATLAS R2.0): NIfTI tree to memory-mapped volumes."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.intensity import compute_percentile_window, quantize_intensity
from mmmed.io import read_volume
from mmmed.preparation.atlas_layout import (
    RawScan,
    find_scans,
    name_site,
    name_subject,
)
from mmmed.preparation.base import BasePreparer
from mmmed.preparation.findings import Finding, InputError, SourceError
from mmmed.preparation.given_folds import read_given_folds
from mmmed.preparation.lesion_volumes import (
    STRATA,
    compare_parts,
    count_volumes,
    format_comparison,
    format_counts,
    name_stratum,
)
from mmmed.preparation.parts import Plan, Task
from mmmed.preparation.slice_export import KINDS, export_slices
from mmmed.preparation.split_legacy import write_legacy_split
from mmmed.preparation.volume_storage import VolumeItem, VolumeRecord, VolumeStorage
from mmmed.registry import PREPARERS
from mmmed.structures import Manifest, Volume, VolumeCase
from mmmed.structures.volume import CANONICAL

SHAPE = (189, 233, 197)
AFFINE = ((0, 0, 1, -98), (0, 1, 0, -134), (1, 0, 0, -72), (0, 0, 0, 1))
# Robust against the few brightest voxels, such as vessels.
PERCENTILES = (0.5, 99.5)
_DESCRIPTION = 'dataset_description.json'
_PLANES = {'axial': (1, 2), 'coronal': (0, 2), 'sagittal': (0, 1)}


@PREPARERS.register_module(name='atlas')
class AtlasPreparer(BasePreparer):
    """Preparer of ATLAS R2.0 (Liew et al. 2022).

    Raw folder: subjects ``sub-*`` at any depth, as in ``Training/R001/sub-r001s001/
    ses-1/anat/*_T1w.nii.gz`` with ``*_label-L_desc-T1lesion_mask.nii.gz``, in
    ``Testing`` without masks, or in BIDS derivatives. Writes per session
    ``volumes/<case_id>/t1w.npy``, (Z, Y, X) in canonical orientation, and
    ``seg.npy``, bits packed along X. No array is resampled.

    Intensity: percentiles 0.5 and 99.5 of the voxels that are not 0 become 1 and the
    largest number, linearly and clipped; 0 stays 0. The hold-out is stratified by
    lesion volume and site together.

    Args:
        bits: 8 or 16, of a stored intensity.
        split_file: CSV of published folds instead of drawn ones.
        export_slices: ``'png'``, ``'nii'`` or ``'npy'``: also write single slices into
            a folder beside the output.
        plane: Plane of those slices.
        legacy_split: Also write the published, leaking split of slices, for study,
            into a folder beside the output.
        folds_on: As for :class:`BasePreparer`; here only the training side by default.
        **options: See :class:`BasePreparer`.

    Source:
        Liew et al. 2022, Sci Data 9:320. Differs from RAX-Net's preparation:
        intensities are scaled once a volume instead of by the maximum of every slice,
        orientation and grid are read and checked, one split for all planes, seeded.
    """

    name = 'atlas'
    classes = ('background', 'lesion')
    help = 'T1 MRI with chronic stroke (ATLAS R2.0)'
    version = 2
    storage = VolumeStorage()

    def __init__(
        self,
        *,
        bits: int = 8,
        split_file: str | Path | None = None,
        export_slices: str | None = None,
        plane: str = 'axial',
        legacy_split: bool = False,
        folds_on: str = 'train',
        **options: Any,
    ) -> None:
        super().__init__(folds_on=folds_on, **options)
        if bits not in (8, 16):
            raise InputError(f'--bits is {bits}, expected 8 or 16')
        if export_slices is not None and export_slices not in KINDS:
            raise InputError(f'--export-slices {export_slices!r}, expected {KINDS}')
        self.bits = bits
        self.export_kind, self.plane = export_slices, plane
        self.legacy_split = legacy_split
        if split_file is not None:
            given = read_given_folds(split_file, self.name_patient)
            self.partition.take_folds(given)

    @classmethod
    def add_arguments(cls, add: Callable[..., Any]) -> None:
        """Options of ATLAS on the command line."""
        add('--bits', type=int, choices=(8, 16), default=8, help='a voxel (8)')
        add('--split-file', metavar='CSV', help='published folds instead of drawn')
        add(
            '--folds-on',
            choices=('train', 'all'),
            default='train',
            help='whom folds divide: the training side of the hold-out, or all',
        )
        add('--export-slices', choices=KINDS, help='also write slices, beside DIR')
        add('--plane', choices=tuple(_PLANES), default='axial', help='of those slices')
        legacy = 'also write the published split of slices, which leaks, for study'
        add('--legacy-split', action='store_true', help=legacy)

    def name_patient(self, name: str) -> str:
        """Subject for a name as a user may write it."""
        return name_subject(name)

    def conversion_options(self) -> Mapping[str, Any]:
        """Only the number of bits changes voxels."""
        return {'bits': self.bits}

    def discover(self, raw: Path) -> Plan:
        """Find all sessions; no image is opened."""
        scans, findings = find_scans(raw)
        about = raw / _DESCRIPTION
        return Plan(
            raw,
            [scan.to_task() for scan in scans],
            findings,
            inputs=[about] if about.is_file() else [],
            context={scan.case_id: scan for scan in scans},
        )

    def describe(self, plan: Plan) -> Mapping[str, Any]:
        """Facts for the manifest, among them how to repeat the intensity rule."""
        return {
            'unit': 'volume',
            'channels': 1,
            'channel_names': ['t1w'],
            'orientation': CANONICAL,
            'dtype': f'uint{self.bits}',
            'intensity': {
                'rule': 'percentile',
                'low': PERCENTILES[0],
                'high': PERCENTILES[1],
                'nonzero': True,
                'bits': self.bits,
            },
            'volume_strata': list(STRATA),
            'semi_synthetic': _read_semi_synthetic(plan.root / _DESCRIPTION),
        }

    def describe_cases(self, cases: Sequence[VolumeCase]) -> Mapping[str, Any]:
        """The grid, if all cases share one: inference asks new scans to lie on it."""
        grids = _group_by_grid(cases)
        if len(grids) != 1:
            return {}
        ((shape, affine),) = grids
        rows = [list(row) for row in affine]
        name = 'MNI152NLin2009aSym' if (shape, affine) == _KNOWN_GRID else 'cohort grid'
        return {'grid': {'shape': list(shape), 'affine': rows, 'name': name}}

    def convert(self, task: Task) -> Sequence[VolumeItem]:
        """Read, check, orient and scale one session."""
        path = task.sources['t1w']
        image = _read(path)
        facts: dict[str, Any] = {'orientation': image.orientation}
        mask, mask_path = None, task.sources.get('seg')
        if mask_path is not None:
            seg = _read(mask_path)
            try:
                image.check_grid(seg)
            except ValueError as error:
                raise SourceError.from_reader(mask_path, error) from error
            facts['mask_values'] = _list_odd_values(seg.array)
            mask = seg.reorient().array > 0
            facts['lesion_pixels'] = {
                plane: np.count_nonzero(mask, axis=axes).tolist()
                for plane, axes in _PLANES.items()
            }
        image = image.reorient()
        try:
            window = compute_percentile_window(image.array, *PERCENTILES, nonzero=True)
        except ValueError as error:
            raise SourceError(path, str(error), 'fetch it again') from error
        facts['range'] = list(window)
        array = quantize_intensity(image.array, window, self.bits)
        return [
            VolumeItem(
                task.name,
                task.patient_id,
                {'t1w': array},
                mask,
                image.spacing,
                image.grid,
                facts,
            )
        ]

    def takes_part(self, task: Task) -> bool:
        """Subjects without a mask are nobody's training or validation."""
        return 'seg' in task.sources

    def accept(self, record: VolumeRecord, plan: Plan) -> Mapping[str, Any]:
        """Columns of ATLAS beside those of every volume."""
        scan: RawScan = plan.context[record.case_id]
        volume = _measure_mm3(record)
        facts = record.facts
        source = {
            't1w': scan.image.relative_to(plan.root).as_posix(),
            'orientation': facts['orientation'],
            'intensity_range': facts['range'],
        }
        if scan.mask is not None:
            source['seg'] = scan.mask.relative_to(plan.root).as_posix()
        return {
            'site': scan.site,
            'session': scan.session,
            'lesion_volume_mm3': volume,
            'stratum': None if volume is None else name_stratum(volume),
            'lesion_pixels': facts.get('lesion_pixels'),
            'source': source,
        }

    def stratify(self, records: Sequence[VolumeRecord]) -> dict[str, Any]:
        """Volume stratum and site of every session of a labelled subject."""
        strata: dict[str, list[tuple[str, str]]] = {}
        for record in records:
            volume = _measure_mm3(record)
            if volume is not None:
                site = name_site(record.patient_id)
                rows = strata.setdefault(record.patient_id, [])
                rows.append((name_stratum(volume), site))
        return strata

    def review(self, plan: Plan, cases: Sequence[VolumeCase]) -> Sequence[Finding]:
        """Empty masks, other grids, and one image under two names."""
        findings = []
        for case in cases:
            if case.positive is False:
                findings.append(
                    Finding(
                        case.extra['source']['seg'],
                        'the mask is empty; kept as a subject without a lesion',
                        'see whether the file is damaged',
                        skipped=False,
                    )
                )
        findings += _review_grids(cases)
        first: dict[str, str] = {}
        for case in cases:
            other = first.setdefault(case.sha256['t1w'], case.case_id)
            if other != case.case_id:
                findings.append(
                    Finding(
                        case.extra['source']['t1w'],
                        f'the same image as {other}',
                        'keep one of them, they may be on two sides of the split',
                        skipped=False,
                    )
                )
        return findings

    def count(self, cases: Sequence[VolumeCase]) -> Mapping[str, Any]:
        """Subjects of every volume stratum in each part."""
        return count_volumes(cases, self.partition.num_folds)

    def format_counts(self, summary: Mapping[str, Any]) -> list[str]:
        """Table of :meth:`count`."""
        return format_counts(summary)

    def summarize(
        self,
        plan: Plan,
        records: Sequence[VolumeRecord],
        cases: Sequence[VolumeCase],
    ) -> Mapping[str, Any]:
        """Sites, odd mask values and the comparison of volumes."""
        odd = {
            r.case_id: r.facts['mask_values']
            for r in records
            if r.facts.get('mask_values')
        }
        return {
            'sites': dict(sorted(Counter(c.extra['site'] for c in cases).items())),
            'mask_values': odd,
            'lesion_slices': {
                plane: sum(
                    int(np.count_nonzero(c.extra['lesion_pixels'][plane]))
                    for c in cases
                    if c.extra['lesion_pixels']
                )
                for plane in _PLANES
            },
            'comparison': compare_parts(cases, self.partition.num_folds),
        }

    def format_facts(self, summary: Mapping[str, Any]) -> list[str]:
        """Sites, mask values, and the test with its limits."""
        lines = [f'sites: {len(summary["sites"])}']
        if odd := summary['mask_values']:
            name, values = next(iter(odd.items()))
            lines.append(
                f'masks with more than two values: {len(odd)}, first {name} with '
                f'{values}; whatever is above 0 counts as lesion'
            )
        return [*lines, *format_comparison(summary['comparison'])]

    def export(
        self, out: Path, *, workers: int, overwrite: bool, quiet: bool
    ) -> list[str]:
        """Slices of one plane, and the legacy split, if they were wished."""
        lines = []
        if self.legacy_split:
            folder = out.with_name(f'{out.name}_legacy_split')
            cases = Manifest.read(out / 'manifest.json').cases
            leaks = write_legacy_split(
                cases,
                folder,
                num_folds=self.partition.num_folds,
                seed=self.partition.seed,
            )
            shared = leaks['axial']['shared_subjects']
            lines.append(
                f'wrote {folder}: {shared} of {leaks["training"]} subjects are in '
                'several axial folds; for study, never train with it'
            )
        if self.export_kind is not None:
            target = out.with_name(f'{out.name}_{self.plane}_{self.export_kind}')
            number = export_slices(
                out,
                target,
                kind=self.export_kind,
                plane=self.plane,
                workers=workers,
                overwrite=overwrite,
                quiet=quiet,
            )
            lines.append(f'wrote {number} {self.plane} slices to {target}')
        return lines


def _read(path: Path) -> Volume:
    try:
        return read_volume(path, ndim=3)
    except (OSError, ValueError) as error:
        raise SourceError.from_reader(path, error) from error


def _list_odd_values(array: NDArray) -> list[float]:
    """Up to eight values of a mask that is not {0, one value}; empty for a binary."""
    top = array.max()
    if ((array == 0) | (array == top)).all() and top >= 0:
        return []
    return [float(value) for value in np.unique(array)[:8]]


def _measure_mm3(record: VolumeRecord) -> float | None:
    if record.foreground_voxels is None:
        return None
    return record.foreground_voxels * float(np.prod(record.spacing))


_KNOWN_GRID = (SHAPE, tuple(tuple(float(v) for v in row) for row in AFFINE))


def _group_by_grid(cases: Sequence[VolumeCase]) -> dict[Any, list[VolumeCase]]:
    """Cases by shape and affine, the latter to a thousandth of a millimetre."""
    grids: dict[Any, list[VolumeCase]] = {}
    for case in cases:
        affine = tuple(tuple(round(v, 3) for v in row) for row in case.affine)
        grids.setdefault((tuple(case.shape), affine), []).append(case)
    return grids


def _review_grids(cases: Sequence[VolumeCase]) -> list[Finding]:
    """One finding for each grid that is not that of the data set."""
    findings = []
    for (shape, affine), members in _group_by_grid(cases).items():
        if (shape, affine) != _KNOWN_GRID:
            origin = [row[3] for row in affine[:3]]
            findings.append(
                Finding(
                    members[0].extra['source']['t1w'],
                    f'{len(members)} case(s) on a grid of {shape} voxels (Z, Y, X) of '
                    f'{members[0].spacing} mm from {origin}, not on that of ATLAS R2.0 '
                    f'({SHAPE}, 1 mm, from [-98, -134, -72])',
                    'kept as they are; register them to MNI 2009a if planes are to be '
                    'compared',
                    skipped=False,
                )
            )
    return findings


def _read_semi_synthetic(path: Path) -> bool:
    """Whether the data set says of itself that it is generated."""
    try:
        value = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return False
    return isinstance(value, dict) and value.get('SemiSynthetic') is True
