"""Trees of DICOM files to one NIfTI file a series, geometry kept.

Not here: reading DICOM (``mmmed.io``); preparing the result (``spine`` and others).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmmed.files import hash_file, hash_json, write_json_atomic
from mmmed.io import DicomSeries, read_series, write_volume
from mmmed.io.dicom_files import SkippedFile, scan_folder
from mmmed.preparation.case_names import make_digest, make_slug
from mmmed.preparation.findings import (
    Finding,
    InputError,
    check_folders,
    stop_if_strict,
)
from mmmed.preparation.parts import Outcome
from mmmed.preparation.summary import format_findings
from mmmed.progress import Progress
from mmmed.registry import PREPARERS
from mmmed.structures.json_file import load_json

_IRREGULAR = ('refuse', 'resample')
_SPLITTING = {'val_ratio': 0.2, 'val_patients': (), 'num_folds': 5, 'seed': 0}
_VERSION = 1


@dataclass(frozen=True)
class ConvertedSeries:
    """What stands beside each NIfTI file, without names of people.

    Args:
        file: NIfTI file, relative to the output folder.
        source: Folder of the series, relative to the raw folder.
        source_hash: SHA-256 of names and contents of its files, and of the options.
        sha256: Of the NIfTI file.
        modality: Such as ``'MR'``.
        description: SeriesDescription.
        number: SeriesNumber, or None.
        part: What tells this stack from others of the series.
        shape: (Z, Y, X) as stored.
        spacing: (Z, Y, X) in mm.
        orientation: Where Z, Y and X point.
        notes: What was corrected or assumed in reading.
    """

    file: str
    source: str
    source_hash: str
    sha256: str
    modality: str
    description: str
    number: int | None
    part: str
    shape: Sequence[int]
    spacing: Sequence[float]
    orientation: str
    notes: Sequence[str]


@PREPARERS.register_module(name='dicom-to-nifti')
class DicomConverter:
    """Writes ``DIR/<patient>/<number>_<description>_<digest>.nii.gz`` for each series.

    A series is split where it cannot be one volume (echoes, directions; see
    ``mmmed.io.list_series``). Voxels and affine are those of the series, nothing is
    turned or resampled. ``<patient>`` is a digest of PatientID, so that
    ``--patient-of folder`` of other subjects works. A JSON file beside each says where
    it is from; a second run goes on where the first stopped.

    Args:
        irregular: Slices that are no regular grid: ``'refuse'`` or ``'resample'``.
        **options: Those of splits, which have no meaning here.
    """

    help = 'DICOM series to NIfTI files, geometry kept (no split, no manifest)'

    def __init__(self, *, irregular: str = 'refuse', **options: Any) -> None:
        if irregular not in _IRREGULAR:
            raise InputError(f'--irregular is {irregular!r}, expected {_IRREGULAR}')
        for name, value in options.items():
            if value != _SPLITTING[name]:
                raise InputError(
                    f'{name} is {value!r}, but nothing is split here; leave it out'
                )
        self.irregular = irregular

    @classmethod
    def add_arguments(cls, add: Callable[..., Any]) -> None:
        """Options of the conversion on the command line."""
        add(
            '--irregular',
            choices=_IRREGULAR,
            default='refuse',
            help='slices at uneven distances or tilted (refuse)',
        )

    def prepare(
        self,
        raw: str | Path,
        out: str | Path,
        *,
        workers: int = 1,
        strict: bool = False,
        overwrite: bool = False,
        dry_run: bool = False,
        quiet: bool = False,
        num_parts: int = 1,
        part_id: int | None = None,
        merge: bool = False,
    ) -> Outcome:
        """Convert every series of a tree; arguments as for other preparers.

        Args:
            raw: Folder with DICOM files at any depth; only read.
            out: Output folder.
            workers: Threads; the result does not depend on it.
            strict: Make every finding an error.
            overwrite: Replace files that were made of other sources or options.
            dry_run: Read everything, write nothing.
            quiet: Show no progress.
            num_parts: Only 1: the work is not shared among machines.
            part_id: Only None.
            merge: Only False.

        Raises:
            InputError: The call is wrong, there is no series, or a file of the same
                name is in the way.
        """
        if workers < 1 or num_parts != 1 or part_id is not None or merge:
            raise InputError('--workers is 1 or more; the work is not shared in parts')
        raw, out = check_folders(raw, out)
        try:
            series, skipped = scan_folder(raw)
        except ImportError as error:
            raise InputError(str(error)) from error
        findings = _report_skipped(raw, skipped)
        if not series:
            first = f'; first: {findings[0]}' if findings else ''
            raise InputError(f'{raw}: no DICOM image in it{first}')
        stop_if_strict(findings, strict)

        def run(one: DicomSeries) -> tuple[ConvertedSeries, bool] | Finding:
            return self._convert(one, raw, out, overwrite=overwrite, dry_run=dry_run)

        records: list[ConvertedSeries] = []
        reused = 0
        executor = ThreadPoolExecutor(workers)
        try:
            with Progress('Converting', len(series), 'series', quiet=quiet) as progress:
                for result in executor.map(run, series):
                    progress.step()
                    if isinstance(result, Finding):
                        stop_if_strict([result], strict)
                        findings.append(result)
                    else:
                        records.append(result[0])
                        reused += result[1]
        finally:
            executor.shutdown(cancel_futures=True)
        summary = {
            'schema_version': _VERSION,
            'dataset': 'dicom-to-nifti',
            'series': [asdict(record) for record in records],
            'findings': [finding.to_dict() for finding in findings],
        }
        if dry_run:
            return Outcome('checked', out, summary)
        write_json_atomic(out / 'summary.json', summary)
        unchanged = bool(records) and reused == len(records)
        return Outcome('unchanged' if unchanged else 'written', out, summary, reused)

    def format_summary(self, summary: Mapping[str, Any]) -> str:
        """The series and findings as text for a terminal."""
        lines = [f'series: {len(summary["series"])}']
        for one in summary['series'][:40]:
            shape = ' x '.join(str(n) for n in one['shape'])
            spacing = ' x '.join(f'{v:.3g}' for v in one['spacing'])
            lines.append(
                f'  {one["file"]}: {shape}, {spacing} mm, {one["orientation"]}'
            )
        return '\n'.join([*lines, *format_findings(summary['findings'])])

    def _convert(
        self, one: DicomSeries, raw: Path, out: Path, *, overwrite: bool, dry_run: bool
    ) -> tuple[ConvertedSeries, bool] | Finding:
        """One series; True if it was there already."""
        paths = sorted(Path(path) for path in one.paths)
        source = paths[0].parent.relative_to(raw).as_posix()
        try:
            hashes = [[p.relative_to(raw).as_posix(), hash_file(p)] for p in paths]
            source_hash = hash_json([_VERSION, self.irregular, hashes])
            target = out / _name_file(one)
            about = target.with_name(target.name.removesuffix('.nii.gz') + '.json')
            if record := _find_same(target, about, source_hash):
                return record, True
            if target.exists() and not overwrite:
                raise InputError(
                    f'{target}: is there already, of other files or options; use '
                    '--overwrite or another --out'
                )
            volume = read_series(one, irregular=self.irregular)
            digest = ''
            if not dry_run:
                target.parent.mkdir(parents=True, exist_ok=True)
                write_volume(volume, target)
                digest = hash_file(target)
        except InputError:
            raise
        except (OSError, ValueError) as error:
            text = str(error).replace(f'{raw}/', '')
            remedy = 'export the series again, or see --irregular'
            return Finding(source, text, remedy)
        record = ConvertedSeries(
            file=target.relative_to(out).as_posix(),
            source=source,
            source_hash=source_hash,
            sha256=digest,
            modality=one.modality,
            description=one.description,
            number=one.number,
            part=one.part,
            shape=list(volume.array.shape),
            spacing=list(volume.spacing),
            orientation=volume.orientation,
            notes=list(volume.source.notes) if volume.source else [],
        )
        if not dry_run:
            write_json_atomic(about, asdict(record))
        return record, False


def _name_file(one: DicomSeries) -> str:
    patient = f'dicom-{make_digest(one.patient_id)}' if one.patient_id else 'unnamed'
    number = '' if one.number is None else f'{one.number:03d}_'
    name = make_slug(f'{one.description or one.modality}')
    return f'{patient}/{number}{name}_{make_digest(f"{one.uid} {one.part}")}.nii.gz'


def _find_same(target: Path, about: Path, source_hash: str) -> ConvertedSeries | None:
    """What an earlier run wrote of the same files, if it is unharmed."""
    if not target.is_file() or not about.is_file():
        return None
    try:
        record = ConvertedSeries(**load_json(about))
    except (OSError, ValueError, TypeError):
        return None
    is_same = record.source_hash == source_hash and record.sha256 == hash_file(target)
    return record if is_same else None


def _report_skipped(raw: Path, skipped: Sequence[SkippedFile]) -> list[Finding]:
    """One finding for each reason, with the number of files."""
    reasons = [file.reason.replace(f'{raw}/', '') for file in skipped]
    counts = Counter(reasons)
    first: dict[str, str] = {}
    for reason, file in zip(reasons, skipped, strict=True):
        first.setdefault(reason, Path(file.path).relative_to(raw).as_posix())
    return [
        Finding(
            first[reason],
            f'{counts[reason]} file(s) like this: {reason}',
            'nothing to do, they were not converted',
            skipped='damaged' in reason,
        )
        for reason in sorted(counts)
    ]
