"""What a test run left behind, read and checked.

Not here: what the numbers say (``tables``), who was trained on (``exposure``).
"""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.overlap import COUNT_NAMES, EmptyPolicy
from mmmed.structures.manifest import Manifest

_TEXT_COLUMNS = ('case_id', 'patient_id', 'label')
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class CaseRow:
    """One structure in one image.

    Args:
        case_id: Unique name of the image.
        patient_id: Person it belongs to.
        label: Name of the structure.
        counts: tp, fp, fn, tn in pixels.
        slice_index: Number of the slice, or None.
        pixel_area_mm2: Size of a pixel, or None where unknown.
    """

    case_id: str
    patient_id: str
    label: str
    counts: tuple[int, int, int, int]
    slice_index: int | None = None
    pixel_area_mm2: float | None = None


@dataclass(frozen=True)
class Evaluation:
    """One evaluated set of cases.

    Args:
        name: Name of the folder, for instance ``val``.
        folder: Where it lies.
        rows: One per case and structure, in the order of the file.
        summary: Content of ``summary.json``.
        run: Content of ``run.json``; empty if there is none.
        manifest: Manifest of the data; None where it cannot be read.
        data_root: Folder of the prepared data, or None.
        manifest_path: Where the manifest should be, or None.
        problem: Why the manifest could not be read, or an empty string.
    """

    name: str
    folder: Path
    rows: tuple[CaseRow, ...]
    summary: Mapping[str, Any]
    run: Mapping[str, Any] = field(default_factory=dict)
    manifest: Manifest | None = None
    data_root: Path | None = None
    manifest_path: Path | None = None
    problem: str = ''

    @property
    def labels(self) -> list[str]:
        """Structures in the order of the table."""
        return list(dict.fromkeys(row.label for row in self.rows))

    @property
    def patients(self) -> list[str]:
        """Different patients, sorted."""
        return sorted({row.patient_id for row in self.rows})

    @property
    def policy(self) -> EmptyPolicy:
        """Empty policy under which the run was scored."""
        return EmptyPolicy(**(self.recorded.get('empty_policy') or {}))

    @property
    def recorded(self) -> Mapping[str, Any]:
        """What the metric itself recorded: policy, bootstrap, pooled counts."""
        return self.summary.get('summary') or {}

    @property
    def bootstrap(self) -> Mapping[str, Any]:
        """Seed, resamples and confidence of the run's intervals."""
        stored = self.recorded.get('bootstrap') or {}
        return {'seed': 0, 'num_resamples': 2000, 'confidence': 0.95} | dict(stored)

    @property
    def confidence(self) -> float:
        """Nominal coverage of the intervals."""
        return float(self.bootstrap['confidence'])

    @property
    def fold(self) -> int | None:
        """Cross-validation fold; None for the hold-out split."""
        return self.summary.get('fold')

    def select(self, label: str) -> tuple[list[CaseRow], NDArray[np.int64]]:
        """Rows of one structure, and their counts (N, 4)."""
        rows = [row for row in self.rows if row.label == label]
        counts = np.array([row.counts for row in rows], np.int64)
        return rows, counts.reshape(-1, len(COUNT_NAMES))


def read_evaluations(work_dir: Path) -> list[Evaluation]:
    """Every evaluation of a run, by name.

    Raises:
        FileNotFoundError: The folder is missing or nothing was evaluated; the message
            says what to run.
        ValueError: A file is damaged; the message names it.
    """
    if not work_dir.is_dir():
        raise FileNotFoundError(
            f'no folder {work_dir}; give the work_dir of a training or test run'
        )
    folders = [
        path
        for path in sorted((work_dir / 'evaluation').glob('*'))
        if (path / 'cases.csv').is_file() or (path / 'summary.json').is_file()
    ]
    if not folders:
        raise FileNotFoundError(
            f'{work_dir} holds no evaluation; run `mim test mmseg CONFIG --checkpoint '
            'CKPT --work-dir WORK_DIR` first, with mmmed.CaseTableHook in the config'
        )
    return [read_evaluation(folder) for folder in folders]


def read_evaluation(folder: Path) -> Evaluation:
    """One evaluation folder; what is optional may be missing.

    Raises:
        ValueError: ``cases.csv`` or ``summary.json`` is missing, empty or damaged.
    """
    summary = _read_json(folder / 'summary.json')
    version = summary.get('schema_version')
    if version != SCHEMA_VERSION:
        raise ValueError(
            f'{folder / "summary.json"}: schema_version is {version!r}, this mmmed '
            f'reads {SCHEMA_VERSION}; evaluate again'
        )
    rows = _read_cases(folder / 'cases.csv')
    run = read_run(folder / 'run.json')
    manifest, root, path, problem = None, None, None, ''
    try:
        root, path = _locate_manifest(folder, summary)
        manifest = Manifest.read(path)
    except (OSError, ValueError) as error:
        problem = str(error)
    evaluation = Evaluation(
        folder.name, folder, rows, summary, run, manifest, root, path, problem
    )
    try:
        _ = evaluation.policy, evaluation.confidence
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f'{folder / "summary.json"}: policy or bootstrap is damaged ({error}); '
            'evaluate again'
        ) from error
    return evaluation


def read_run(path: Path) -> dict[str, Any]:
    """A run record; empty if there is none.

    Raises:
        ValueError: The file is damaged; the message names it.
    """
    return _read_json(path) if path.is_file() else {}


def _locate_manifest(folder: Path, summary: Mapping[str, Any]) -> tuple[Path, Path]:
    root, name = summary.get('data_root'), summary.get('manifest')
    if not isinstance(root, str) or not isinstance(name, str):
        raise ValueError('summary.json names no data_root and manifest')
    data_root = folder / root
    return data_root, data_root / name


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ValueError(f'{path} is missing; evaluate again')
    try:
        value = json.loads(path.read_text(encoding='utf-8'))
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path}: not readable as JSON ({error})') from error
    if not isinstance(value, dict):
        raise ValueError(f'{path}: holds {type(value).__name__}, expected an object')
    return value


def _read_cases(path: Path) -> tuple[CaseRow, ...]:
    if not path.is_file():
        raise ValueError(f'{path} is missing; evaluate again')
    rows = []
    try:
        with open(path, encoding='utf-8', newline='') as stream:
            reader = csv.DictReader(stream)
            missing = {*_TEXT_COLUMNS, *COUNT_NAMES} - set(reader.fieldnames or ())
            if missing:
                raise ValueError(f'lacks the columns {", ".join(sorted(missing))}')
            for number, cells in enumerate(reader, 2):
                rows.append(_read_row(cells, number))
    except (ValueError, csv.Error) as error:
        raise ValueError(f'{path}: {error}; evaluate again') from error
    if not rows:
        raise ValueError(f'{path}: holds no case; evaluate again')
    keys = [(row.case_id, row.label) for row in rows]
    if len(set(keys)) != len(keys):
        raise ValueError(f'{path}: a case occurs twice; evaluate again')
    return tuple(rows)


def _read_row(cells: Mapping[str, str], number: int) -> CaseRow:
    try:
        tp, fp, fn, tn = (int(cells[name]) for name in COUNT_NAMES)
        slice_index, area = cells.get('slice_index'), cells.get('pixel_area_mm2')
        row = CaseRow(
            case_id=cells['case_id'],
            patient_id=cells['patient_id'],
            label=cells['label'],
            counts=(tp, fp, fn, tn),
            slice_index=int(slice_index) if slice_index else None,
            pixel_area_mm2=float(area) if area else None,
        )
    except (TypeError, ValueError) as error:
        raise ValueError(f'line {number} is not a case ({error})') from error
    if min(row.counts) < 0 or not row.case_id or not row.patient_id:
        raise ValueError(f'line {number} has negative counts or no names')
    return row
