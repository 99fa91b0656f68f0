"""What lies in the results folder for a case, and whether it may be replaced.

``OUT/<case>.nii.gz`` (mask), ``OUT/prob/<class>/<case>.nii.gz`` (probabilities),
``OUT/<case>.dcm`` (DICOM-SEG), ``OUT/cases/<case>.json`` (report). The report is
written first as running and last as done, so a killed run is told from a finished one
and from files that are not ours. Not here: running networks.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmmed.files import hash_file, write_json_atomic
from mmmed.inference.discovery import DICOM, ScanCase

SCHEMA_VERSION = 1
_MASK_SUFFIX = {
    '.nrrd': '.nrrd',
    '.mha': '.mha',
    '.png': '.png',
    '.jpg': '.png',
    '.jpeg': '.png',
    '.tif': '.tif',
    '.tiff': '.tif',
}


class ConflictError(ValueError):
    """Something in the results folder that must not be replaced unasked."""


class CaseStore:
    """Paths and report of one case.

    Args:
        out: Results folder.
        case: The scan.
        classes: Names by label.
        save: What is written; see :class:`mmmed.inference.options.RunOptions`.
    """

    def __init__(
        self, out: Path, case: ScanCase, classes: tuple[str, ...], save: tuple[str, ...]
    ) -> None:
        self.out = out
        self.case = case
        self.report_path = out / 'cases' / f'{case.case_id}.json'
        self.mask_path = out / (case.case_id + _MASK_SUFFIX.get(case.kind, '.nii.gz'))
        self.dicom_seg_path = out / f'{case.case_id}.dcm'
        self.prob_paths = {
            name: out / 'prob' / _make_folder_name(name) / f'{case.case_id}.nii.gz'
            for name in classes[1:]
        }
        self.outputs: list[Path] = []
        if 'seg' in save:
            self.outputs.append(self.mask_path)
        if 'prob' in save:
            self.outputs.extend(self.prob_paths.values())
        if 'dicom-seg' in save:
            self.outputs.append(self.dicom_seg_path)

    def read_report(self) -> dict[str, Any] | None:
        """The report that lies there; None if there is none that can be read."""
        try:
            report = json.loads(self.report_path.read_text())
        except (OSError, ValueError):
            return None
        return report if isinstance(report, dict) else None

    def is_finished(self, settings: str, input_hash: str) -> bool:
        """Whether everything is there, made from this input with these settings.

        Args:
            settings: Hash of config, weights and options.
            input_hash: Hash of the scan's content.

        Raises:
            ConflictError: What is there comes from other settings, was changed since,
                or is none of ours.
        """
        report = self.read_report()
        if report is None:
            foreign = [path.name for path in self.outputs if path.exists()]
            if foreign:
                raise ConflictError(
                    f'{foreign[0]} is there already, without a report of ours; use '
                    'another folder, or --overwrite'
                )
            return False
        if report.get('status') != 'done':
            return False
        self.check_settings(settings)
        if report.get('input_sha256') != input_hash:
            return False
        stored = report.get('outputs')
        hashes: Mapping[str, str] = stored if isinstance(stored, dict) else {}
        for path in self.outputs:
            if not path.exists():
                return False
            if hashes.get(self.name(path)) != hash_file(path):
                raise ConflictError(
                    f'{path.name} was changed since it was made; move it away, or use '
                    '--overwrite'
                )
        return True

    def check_settings(self, settings: str) -> None:
        """Refuse to replace the finished result of another model or option.

        Raises:
            ConflictError: There is one.
        """
        report = self.read_report()
        if report is None or report.get('status') != 'done':
            return
        if report.get('settings_sha256') != settings:
            raise ConflictError(
                f'{self.out}: {self.case.case_id} was made with another config, other '
                'weights or options; use another folder, or --overwrite'
            )

    def write_report(self, status: str, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Write the report, atomically.

        Args:
            status: ``'running'``, ``'done'`` or ``'failed'``.
            facts: The rest of it.

        Returns:
            The report.
        """
        report = {
            'schema_version': SCHEMA_VERSION,
            'case_id': self.case.case_id,
            'status': status,
            **facts,
        }
        report = make_printable(report)
        write_json_atomic(self.report_path, report)
        return report

    def hash_outputs(self) -> dict[str, str]:
        """SHA-256 of every file written, by its path below the folder."""
        return {self.name(path): hash_file(path) for path in self.outputs}

    def remove_leftovers(self) -> None:
        """Remove temporary files of a run that was killed while it wrote."""
        remove_leftovers([*self.outputs, self.report_path])

    def name(self, path: Path) -> str:
        """Path below the results folder, with forward slashes."""
        return path.relative_to(self.out).as_posix()

    @property
    def is_dicom(self) -> bool:
        """Whether the scan is DICOM, which DICOM-SEG has to refer to."""
        return self.case.kind in (DICOM, '.dcm')


def _make_folder_name(class_name: str) -> str:
    """A class name as the name of a folder."""
    safe = ''.join(c if c.isalnum() or c in '-_.' else '_' for c in class_name)
    return safe.lstrip('.') or '_'


def remove_leftovers(paths: Iterable[Path]) -> None:
    """Remove temporary files that atomic writes of these files left behind."""
    for path in paths:
        if not path.parent.is_dir():
            continue
        start = f'.{path.name}.'
        for entry in path.parent.iterdir():
            if entry.name.startswith(start) and entry.name.endswith('.tmp'):
                entry.unlink(missing_ok=True)


def make_printable(value: Any) -> Any:
    """The same JSON value, in which every text can be written as UTF-8.

    Names of files may hold bytes that are no text; they become escapes.
    """
    if isinstance(value, str):
        return value.encode('utf-8', 'backslashreplace').decode()
    if isinstance(value, Mapping):
        return {make_printable(k): make_printable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [make_printable(v) for v in value]
    return value
