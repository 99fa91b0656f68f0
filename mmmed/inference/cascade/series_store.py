"""What lies in the folder of a series' results, and whether it may be replaced.

``processing_log.json`` is written last: a folder without one was never finished. Not
here: making results (``series_job``).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmmed.files import hash_file
from mmmed.inference.cascade.outputs import (
    CONFIDENCE,
    CORD_MASK,
    DICOM_SEG,
    INPUT_COPY,
    LESION_MASK,
    MEASURES,
    PICTURE_FOLDERS,
)
from mmmed.inference.cascade.records import LOG_NAME, check_record, write_record
from mmmed.inference.case_store import ConflictError
from mmmed.structures.json_file import load_json

PREVIEWS = 'preview'
_FILES = (
    LESION_MASK, CORD_MASK, CONFIDENCE, INPUT_COPY, DICOM_SEG,
    *(name.removesuffix('.nii.gz') + '.json'
      for name in (LESION_MASK, CORD_MASK, CONFIDENCE)),
    f'{MEASURES}.json', f'{MEASURES}.csv', LOG_NAME,
)  # fmt: skip
_SUFFIXES = ('.png', '.jpg', '.json')


class SeriesStore:
    """Folder of one series' results.

    Args:
        folder: The folder; it need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read_log(self) -> dict[str, Any] | None:
        """The log that lies there; None if there is none, or none of ours."""
        try:
            log = load_json(self.folder / LOG_NAME)
            check_record('processing_log', log)
        except (OSError, ValueError):
            return None
        return dict(log)

    def check_settings(self, settings: str) -> None:
        """Refuse to replace a finished result of other weights or settings.

        Raises:
            ConflictError: There is one.
        """
        log = self.read_log()
        if log is None or log['status'] == 'failed':
            return
        if log['settings_sha256'] != settings:
            raise ConflictError(
                f'{self.folder} was made with other weights or settings; use another '
                'folder, or --overwrite'
            )

    def read_finished(
        self, settings: str, content: str | None
    ) -> dict[str, Any] | None:
        """The log, if all is there and was made from this input with these settings.

        Args:
            settings: Hash of weights and settings.
            content: Hash of the series' files; None if they cannot be read.

        Raises:
            ConflictError: A file was changed since it was made.
        """
        log = self.read_log()
        if log is None or log['status'] == 'failed' or content is None:
            return None
        if (log['settings_sha256'], log['input']['sha256']) != (settings, content):
            return None
        there = self.hash_outputs()
        for name, digest in log['outputs'].items():
            if name not in there:
                return None
            if there[name] != digest:
                raise ConflictError(
                    f'{self.folder / name} was changed since it was made; move it '
                    'away, or use --overwrite'
                )
        return log

    def clear(self) -> None:
        """Remove what an earlier analysis left, and nothing else."""
        # The log first: it must not outlive what it describes.
        for path in sorted(self._list_ours(), key=lambda path: path.name != LOG_NAME):
            path.unlink(missing_ok=True)

    def write_log(self, log: Mapping[str, Any]) -> dict[str, Any]:
        """Write the log, with hashes of everything that was written before it."""
        return write_record(
            self.folder / LOG_NAME,
            'processing_log',
            {**log, 'outputs': self.hash_outputs()},
        )

    def hash_outputs(self) -> dict[str, str]:
        """SHA-256 of every file of ours but the log, by path below the folder."""
        return {
            path.relative_to(self.folder).as_posix(): hash_file(path)
            for path in self._list_ours()
            if path.name != LOG_NAME and not path.name.endswith('.tmp')
        }

    def _list_ours(self) -> list[Path]:
        """Files that an analysis writes; with leftovers of a killed one."""
        paths = [self.folder / name for name in _FILES]
        for name in (PREVIEWS, *PICTURE_FOLDERS):
            folder = self.folder / name
            if folder.is_dir() and not folder.is_symlink():
                paths += [p for p in folder.iterdir() if p.suffix in _SUFFIXES]
                paths += folder.glob('.*.tmp')
        if self.folder.is_dir():
            paths += [
                path
                for path in self.folder.glob('.*.tmp')
                if path.name[1:].startswith(_FILES)
            ]
        return sorted(path for path in paths if path.is_file())
