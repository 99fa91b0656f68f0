"""One pair of files to one record on disk: what a worker process does.

A record is written whole or not at all, and says from which files and options it was
made; so a killed run goes on where it stopped. Not here: the processes
(``folder_run``), the maths (``case_scores``).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmmed.evaluation.case_grid import CaseGrid
from mmmed.evaluation.case_scores import CaseScores, score_case
from mmmed.evaluation.folder_pairs import MaskPair
from mmmed.evaluation.score_options import ScoreOptions
from mmmed.files import hash_json, write_json_atomic
from mmmed.io import find_suffix, read_label, read_segmentation, read_volume
from mmmed.structures import Volume, VolumeSource
from mmmed.structures.json_file import load_json

# Raise when the same files and options give other rows.
_FORMAT = 1
_PICTURE_NOTE = 'PNG masks have no geometry: pixels of 1 mm are assumed.'


@dataclass(frozen=True)
class ScoreTask:
    """One pair to score.

    Args:
        pair: Its files.
        side: ``'a'`` for the predictions, ``'b'`` for the compared ones.
        options: How.
        folder: Of the records.
    """

    pair: MaskPair
    side: str
    options: ScoreOptions
    folder: Path

    @property
    def record_path(self) -> Path:
        """File of the record; case ids need not be legal file names."""
        name = f'{self.side}/{self.pair.case_id}'.encode()
        return self.folder / f'{hashlib.sha256(name).hexdigest()[:24]}.json'

    def compute_key(self) -> str:
        """Hash of everything that decides the record.

        Raises:
            OSError: A file is not there any more.
        """
        facts = {
            'format': _FORMAT,
            'case_id': self.pair.case_id,
            'options': self.options.as_dict(),
            'pred': _identify(self.pair.pred),
            'target': _identify(self.pair.target),
        }
        return hash_json(facts)

    def read_record(self) -> dict[str, Any] | None:
        """The finished record of these very files and options; None if there is none.

        Raises:
            OSError: As :meth:`compute_key`.
        """
        try:
            record = load_json(self.record_path)
        except (FileNotFoundError, ValueError):
            return None
        if not isinstance(record, dict) or record.get('key') != self.compute_key():
            return None
        return record


@dataclass(frozen=True)
class ScoreRecord:
    """What is known of a scored pair.

    Args:
        case_id: Its case.
        scores: The rows.
        notes: What a user should know about its files.
    """

    case_id: str
    scores: CaseScores
    notes: tuple[str, ...]

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> 'ScoreRecord':
        """From a record file."""
        grid = CaseGrid.from_dict(fields['grid'])
        rows = (fields[name] for name in ('cases', 'lesions', 'slices'))
        return cls(fields['case_id'], CaseScores(grid, *rows), tuple(fields['notes']))


def run_task(task: ScoreTask) -> str | None:
    """Read, score and record one pair.

    Returns:
        None, or the reason why it could not be scored.
    """
    try:
        # Before reading: a file that changes meanwhile makes the record worthless.
        key = task.compute_key()
        pred, target = _read_pair(task.pair)
        scores = score_case(task.pair.case_id, pred, target, task.options)
        sources = [v.source for v in (pred, target) if v is not None and v.source]
        notes = sorted({note for source in sources for note in source.notes})
        record = {
            'key': key,
            'case_id': task.pair.case_id,
            'notes': notes,
            'grid': asdict(scores.grid),
            'cases': scores.cases,
            'lesions': scores.lesions,
            'slices': scores.slices,
        }
        write_json_atomic(task.record_path, record)
    except Exception as error:  # whatever a file provokes is told, and others go on
        reason = str(error) or type(error).__name__
        if not isinstance(error, ValueError | OSError | MemoryError | ImportError):
            reason = f'{type(error).__name__}: {reason}'
        return reason
    return None


def remove_unused(folder: Path, tasks: Sequence[ScoreTask]) -> None:
    """Remove what killed runs and cases of the past left in a folder of records."""
    if not folder.is_dir():
        return
    kept = {task.record_path.name for task in tasks}
    for entry in folder.iterdir():
        is_ours = entry.suffix in ('.json', '.tmp')
        if entry.name not in kept and is_ours and entry.is_file():
            entry.unlink(missing_ok=True)


def _identify(path: Path | None) -> list[Any] | None:
    if path is None:
        return None
    status = path.stat()
    return [
        path.name.encode(errors='surrogateescape').hex(),
        status.st_size,
        status.st_mtime_ns,
    ]


def _read_pair(pair: MaskPair) -> tuple[Volume | None, Volume]:
    if pair.pred is None:
        return None, _read_mask(pair.target, None)
    if _is_dicom(pair.target) and not _is_dicom(pair.pred):
        # A DICOM-SEG holds no slices beyond its segments: the other side has them.
        pred = _read_mask(pair.pred, None)
        return pred, _read_mask(pair.target, pred)
    target = _read_mask(pair.target, None)
    return _read_mask(pair.pred, target), target


def _is_dicom(path: Path) -> bool:
    return find_suffix(path) == '.dcm'


def _read_mask(path: Path, like: Volume | None) -> Volume:
    suffix = find_suffix(path)
    if suffix in ('.jpg', '.jpeg'):
        raise ValueError(
            f'{path}: JPEG changes values, so it holds no labels; export PNG'
        )
    if suffix == '.png':
        labels = read_label(path)[None]
        source = VolumeSource(str(path), 'image', labels.dtype, notes=(_PICTURE_NOTE,))
        return Volume(labels, (1.0, 1.0, 1.0), None, source)
    if suffix == '.dcm':
        return read_segmentation(path, like=like)
    return read_volume(path)
