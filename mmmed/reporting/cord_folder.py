"""The output folder of the spinal cord pipeline, read for its report.

Files are taken as they are found: what is absent or of another type is a problem that
the page names, never an error. Not here: what a page shows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mmmed.reporting.cord_previews import INDEX_NAME, MOSAIC_NAME, SLICE_NAME
from mmmed.structures.json_file import load_json

LOG_NAME = 'processing_log.json'
# Runs of a divided input have one each.
BATCH_NAMES = 'batch_report*.json'
ANALYSIS_NAME, PREVIEW_FOLDER = 'lesion_analysis.json', 'preview'
ACCEPTED, REJECTED, UNREADABLE, FAILED = 'accepted', 'rejected', 'unreadable', 'failed'
# What needs a reader first comes first.
STATUSES = (FAILED, UNREADABLE, REJECTED, ACCEPTED)
# Records and pictures of ours are far smaller.
_MAX_JSON, _MAX_PICTURE = 1 << 24, 1 << 22
_STARTS = {'.png': b'\x89PNG\r\n', '.jpg': b'\xff\xd8\xff'}


@dataclass(frozen=True)
class CordStage:
    """One stage of a series; see ``mmmed.structures.stage_record.StageRecord``.

    Args:
        name: Of the stage.
        model: What computed it; empty if none ran.
        probs: Mean probability by class name.
        label: Decision; None without classes.
        threshold: Least probability; None if unused.
        accepted: Whether the series went on.
        reason: One sentence, or nothing.
        n_slices: Slices looked at.
        seconds: Wall time.
        accepts: Classes that the gate lets through; empty if that is not said.
        accepted_prob: Their probability together; None likewise.
        is_sure: Whether the stage decided at all.
        is_by_slice: Whether it is single slices that the threshold holds for.
    """

    name: str
    model: str
    probs: Mapping[str, float]
    label: str | None
    threshold: float | None
    accepted: bool
    reason: str
    n_slices: int | None
    seconds: float | None
    accepts: tuple[str, ...]
    accepted_prob: float | None
    is_sure: bool
    is_by_slice: bool


@dataclass(frozen=True)
class CordSeries:
    """What one folder of results holds.

    Args:
        patient: Name of the patient's folder.
        series: Name of its own folder.
        link: Address of the folder, as seen from that of the run; empty without one.
        status: One of ``STATUSES``.
        reason: Why; empty if there is nothing to say.
        input: Facts about the image, by name.
        stages: In order.
        warnings: Sentences of the run.
        total_seconds: Wall time; None if it is not known.
        software: Versions by name.
        device: What it ran on.
        analysis: Content of ``lesion_analysis.json``; None without one.
        previews: Content of ``preview/previews.json``; None without one.
        pictures: Content of the mosaics by file name.
        slices: Names of the pictures of slices.
        files: Names of all other files in the folder.
        problems: What could not be read, in sentences.
    """

    patient: str
    series: str
    link: str
    status: str
    reason: str = ''
    input: Mapping[str, Any] = field(default_factory=dict)
    stages: tuple[CordStage, ...] = ()
    warnings: tuple[str, ...] = ()
    total_seconds: float | None = None
    software: Mapping[str, str] = field(default_factory=dict)
    device: str = ''
    analysis: Mapping[str, Any] | None = None
    previews: Mapping[str, Any] | None = None
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    slices: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    def make_link(self, name: str) -> str:
        """Address of a file of the folder; whatever its name holds is a name."""
        return f'{self.link}/{quote(name)}'

    @property
    def lesions(self) -> list[Mapping[str, Any]]:
        """Rows of the lesions; empty where none were measured."""
        rows = take_list((self.analysis or {}).get('lesions'))
        return [row for row in rows if isinstance(row, dict)]


@dataclass(frozen=True)
class CordRun:
    """All that a run left.

    Args:
        series: Those that need a reader first come first.
        left_out: Place and reason of input that is no series.
        problems: What could not be read, in sentences.
    """

    series: tuple[CordSeries, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    problems: tuple[str, ...] = ()


def read_cord_folder(out: str | Path) -> CordRun:
    """Read the results of a run.

    Args:
        out: Folder with ``<patient>/<series>/processing_log.json``.

    Returns:
        The run; series that only the record of the run names are among them.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It holds no result of this pipeline.
    """
    out = Path(out)
    if not out.is_dir():
        raise FileNotFoundError(
            f'{out}: no such folder; give the --out folder of a run'
        )
    problems: list[str] = []
    reports = sorted(out.glob(BATCH_NAMES))
    batches = [take_map(_load(path, problems)) for path in reports]
    logs = sorted(out.glob(f'*/*/{LOG_NAME}'))
    series = [_read_series(path.parent, out) for path in logs]
    if not series and not reports:
        raise ValueError(
            f'{out}: no batch_report.json and no {LOG_NAME} two folders down; give '
            'the --out folder of tools/spine.py inference'
        )
    rows = [row for batch in batches for row in take_list(batch.get('rejected'))]
    series = _add_rejected(series, [take_map(row) for row in rows])
    series.sort(key=lambda s: (STATUSES.index(s.status), s.patient, s.series))
    rows = [row for batch in batches for row in take_list(batch.get('left_out'))]
    left_out = dict.fromkeys(
        (take_text(row.get('place')), take_text(row.get('reason')))
        for row in map(take_map, rows)
    )
    return CordRun(tuple(series), tuple(left_out), tuple(problems))


def _add_rejected(
    series: list[CordSeries], rows: list[dict[str, Any]]
) -> list[CordSeries]:
    """What only the record of a run knows: of series without a log, or with an old one.

    A series whose results somebody changed keeps its log, and has failed since.
    """
    known = {(one.patient, one.series): one for one in series}
    for row in rows:
        names = take_text(row.get('patient')), take_text(row.get('series'))
        status = _take_status(row.get('status'), REJECTED)
        reason = take_text(row.get('reason'))
        old = known.get(names)
        if old is None:
            known[names] = CordSeries(*names, '', status, reason)
        elif status == FAILED and old.status != FAILED:
            problem = f'its batch report says that it failed: {reason}'
            known[names] = replace(old, problems=(*old.problems, problem))
    return list(known.values())


def take_map(value: Any) -> dict[str, Any]:
    """A mapping as it is, anything else as an empty one."""
    return value if isinstance(value, dict) else {}


def take_list(value: Any) -> list[Any]:
    """A list as it is, anything else as an empty one."""
    return value if isinstance(value, list) else []


def take_text(value: Any) -> str:
    """Text, or nothing."""
    return value if isinstance(value, str) else ''


def take_number(value: Any) -> float | None:
    """A number that is not a truth value; JSON read here has no NaN."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    return None


def _read_series(folder: Path, out: Path) -> CordSeries:
    problems: list[str] = []
    log = take_map(_load(folder / LOG_NAME, problems))
    stages = tuple(_read_stage(take_map(row)) for row in take_list(log.get('stages')))
    refused = next((s for s in stages if not s.accepted), None)
    # A log that does not say is judged by its stages.
    status = FAILED if problems else REJECTED if refused else ACCEPTED
    analysis = _load(folder / ANALYSIS_NAME, problems)
    pictures, slices, previews = _read_pictures(folder / PREVIEW_FOLDER, problems)
    files = sorted(p.name for p in folder.iterdir() if p.is_file())
    return CordSeries(
        patient=folder.parent.name,
        series=folder.name,
        link=quote(folder.relative_to(out).as_posix()),
        status=_take_status(log.get('status'), status),
        reason=take_text(log.get('reason')) or (refused.reason if refused else ''),
        input=take_map(log.get('input')),
        stages=stages,
        warnings=tuple(filter(None, map(take_text, take_list(log.get('warnings'))))),
        total_seconds=take_number(log.get('total_seconds')),
        software={k: take_text(v) for k, v in take_map(log.get('software')).items()},
        device=take_text(log.get('device')),
        analysis=analysis if isinstance(analysis, dict) else None,
        previews=previews,
        pictures=pictures,
        slices=slices,
        files=tuple(files),
        problems=tuple(problems),
    )


def _read_stage(row: Mapping[str, Any]) -> CordStage:
    details = take_map(row.get('details'))
    probs = {
        name: float(min(max(value, 0), 1))
        for name, value in take_map(row.get('probs')).items()
        if take_number(value) is not None
    }
    slices = take_number(row.get('n_slices'))
    return CordStage(
        name=take_text(row.get('name')),
        model=take_text(row.get('model')),
        probs=probs,
        label=take_text(row.get('label')) or None,
        threshold=take_number(row.get('threshold')),
        accepted=row.get('accepted') is True,
        reason=take_text(row.get('reason')),
        n_slices=None if slices is None else int(slices),
        seconds=take_number(row.get('seconds')),
        accepts=tuple(filter(None, map(take_text, take_list(details.get('accepts'))))),
        accepted_prob=take_number(details.get('accepted_probability')),
        is_sure=details.get('decision') != 'not sure',
        is_by_slice=isinstance(details.get('slices'), list),
    )


def _read_pictures(
    folder: Path, problems: list[str]
) -> tuple[dict[str, bytes], tuple[str, ...], dict[str, Any] | None]:
    """Mosaics, names of slices, and what is said about them."""
    if not folder.is_dir():
        return {}, (), None
    names = sorted(path.name for path in folder.iterdir())
    pictures = {}
    for name in filter(MOSAIC_NAME.fullmatch, names):
        data = _read_picture(folder / name, problems)
        if data is not None:
            pictures[name] = data
    slices = tuple(filter(SLICE_NAME.fullmatch, names))
    index = _load(folder / INDEX_NAME, problems)
    return pictures, slices, index if isinstance(index, dict) else None


def _read_picture(path: Path, problems: list[str]) -> bytes | None:
    where = f'{PREVIEW_FOLDER}/{path.name}'
    if path.is_symlink() or not path.is_file() or path.stat().st_size > _MAX_PICTURE:
        problems.append(f'{where} is no picture of this pipeline and is not shown.')
        return None
    data = path.read_bytes()
    if not data.startswith(_STARTS[path.suffix]):
        problems.append(f'{where} is damaged and is not shown.')
        return None
    return data


def _load(path: Path, problems: list[str]) -> Any:
    """A record; None if there is none, or if it cannot be read."""
    if not path.is_file():
        return None
    if path.stat().st_size > _MAX_JSON:
        problems.append(f'{path.name} has more than {_MAX_JSON} bytes, it is left out.')
        return None
    try:
        return load_json(path)
    except (ValueError, OSError) as error:
        problems.append(f'{path.name} cannot be read: {error}.')
        return None


def _take_status(value: Any, otherwise: str) -> str:
    return value if isinstance(value, str) and value in STATUSES else otherwise
