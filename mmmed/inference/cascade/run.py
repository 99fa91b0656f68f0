"""A tree of series to a tree of results: resumable, one bad series never stops it.

``OUT/<patient>/<series>/`` holds what ``outputs`` and ``series_job`` write, beside
them ``analysis_summary.json`` says it of all series of the patient,
``OUT/batch_report.json`` of the run, ``OUT/run.json`` how to repeat it. Not here: one
series.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from mmmed.files import hash_json, write_json_atomic
from mmmed.inference.cascade.records import (
    SUMMARY_NAME,
    summarize_batch,
    summarize_patient,
    write_record,
)
from mmmed.inference.cascade.request import CascadeCall, describe_settings
from mmmed.inference.cascade.series import FoundSeries, find_series
from mmmed.inference.cascade.series_job import (
    Analyzer,
    JobSettings,
    OnSeries,
    SeriesJob,
)
from mmmed.inference.cascade.series_store import SeriesStore
from mmmed.inference.case_store import make_printable
from mmmed.structures.run_record import RunRecord

EXIT_DONE, EXIT_SOME_FAILED, EXIT_BAD_CALL = 0, 1, 2
EXIT_ALL_REJECTED, EXIT_WEIGHTS, EXIT_INTERRUPTED = 3, 4, 130
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CascadeOutcome:
    """What a run did.

    Args:
        out: Folder of the results.
        report: As written to ``batch_report.json``.
    """

    out: Path
    report: Mapping[str, Any]

    @property
    def exit_code(self) -> int:
        """0 done; 1 some series failed or could not be read; 3 none was accepted."""
        return int(self.report['exit_code'])

    def summarize(self) -> dict[str, Any]:
        """Numbers for people and machines."""
        return {
            'out': make_printable(str(self.out)),
            **self.report['counts'],
            'resumed': self.report['resumed'],
            'lesions': self.report['lesion_count'],
            'exit_code': self.exit_code,
        }

    def list_reasons(self) -> list[str]:
        """One line for each series without masks, and why."""
        lines = [
            f'{row["status"]}: {row["patient"]}/{row["series"]}: {row["reason"]}'
            for row in self.report['rejected']
        ]
        return lines + [
            f'unreadable: {row["place"]}: {row["reason"]}'
            for row in self.report['left_out']
            if row['is_damaged']
        ]


def run_cascade(
    call: CascadeCall,
    cascade_factory: Callable[[], Analyzer],
    on_series: OnSeries | None = None,
) -> CascadeOutcome:
    """Analyze every series of a path and write the results.

    A series that is finished (same weights, settings and files, results unchanged) is
    skipped, also a rejected one; a failed one is tried again.

    Args:
        call: What is asked for.
        cascade_factory: Loads the cascade; called once, when a series needs it.
        on_series: See :class:`SeriesJob`.

    Returns:
        What was done.

    Raises:
        FileNotFoundError: There is no input.
        ValueError: There is no series in it, or ``out`` holds other results.
        WeightsError: The cascade cannot be loaded.
        OSError: ``out`` cannot be written.
    """
    source, out = call.source, call.out
    if source.resolve() == out.resolve() or out.is_file():
        raise ValueError(f'{out} is the input or a file; results need another folder')
    found = find_series(source, leave_out=out)
    part = found.select_part(call.num_parts, call.part_id)
    settings = describe_settings(call)
    shared = JobSettings(
        hash_json(settings),
        call.device,
        call.output,
        call.overwrite,
        call.settings.processing.picture_plane,
        call.source,
    )
    stores = [SeriesStore(out / one.folder) for one in part]
    if not call.overwrite:
        _check_folder(out)
        for store in stores:
            store.check_settings(shared.settings_sha256)
    record = RunRecord.start(config=settings)
    _write_run(call, record, settings, None)
    loaded: list[Analyzer] = []

    def get_analyzer() -> Analyzer:
        if not loaded:
            loaded.append(cascade_factory())
        return loaded[0]

    jobs = [
        SeriesJob(one, store, shared, get_analyzer, on_series)
        for one, store in zip(part, stores, strict=True)
    ]
    logs, resumed = _run_jobs(jobs, call.show_progress)
    _summarize_patients(out, logs)
    report = _report(call, found, logs, resumed, shared.settings_sha256)
    record.finish()
    _write_run(call, record, settings, report)
    return CascadeOutcome(out, report)


def list_inputs(call: CascadeCall) -> dict[str, Any]:
    """What a run would analyze, without reading an image or writing anything.

    Returns:
        Number of series and of what is left out, then where each series lies, by the
        folder of its results.

    Raises:
        FileNotFoundError: There is no input.
        ValueError: There is no series in it.
    """
    found = find_series(call.source, leave_out=call.out)
    part = found.select_part(call.num_parts, call.part_id)
    places = {one.folder.as_posix(): one.place for one in part}
    return make_printable(
        {'series': len(part), 'left_out': len(found.left_out), **places}
    )


def _check_folder(out: Path) -> None:
    """Refuse a folder that holds something and no run of ours.

    Raises:
        ValueError: It does.
    """
    if not out.is_dir() or any(out.glob('run*.json')):
        return
    names = sorted(path.name for path in out.iterdir() if path.name[0] != '.')
    if names:
        raise ValueError(
            f'{out} holds {names[0]!r} and no run of ours; use another folder, or '
            '--overwrite'
        )


def _run_jobs(
    jobs: list[SeriesJob], show_progress: bool
) -> tuple[list[dict[str, Any]], int]:
    logs, resumed = [], 0
    with (
        logging_redirect_tqdm(),
        tqdm(jobs, unit='series', disable=not show_progress) as bar,
    ):
        for number, job in enumerate(bar, 1):
            log, is_old = job.run()
            logs.append(log)
            resumed += is_old
            _tell(log, f'[{number}/{len(jobs)}]', is_old)
    return logs, resumed


def _tell(log: Mapping[str, Any], place: str, is_old: bool) -> None:
    name = f'{place} {log["patient"]}/{log["series"]}'
    if log['status'] != 'accepted':
        _log.warning('%s: %s: %s', name, log['status'], log['reason'])
        return
    lesions = log['lesions'] or {}
    text = 'finished already' if is_old else f'{log["total_seconds"]:.1f} s'
    _log.info(
        '%s: %d lesions, %.1f mm3 (%s)',
        name,
        lesions.get('count', 0),
        lesions.get('volume_mm3', 0.0),
        text,
    )
    for warning in log['warnings']:
        _log.info('%s: %s', name, warning)


def _summarize_patients(out: Path, logs: Iterable[Mapping[str, Any]]) -> None:
    patients: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for log in logs:
        patients[log['patient']].append(log)
    for patient, own in patients.items():
        write_record(
            out / patient / SUMMARY_NAME,
            'analysis_summary',
            summarize_patient(patient, own),
        )


def _report(
    call: CascadeCall,
    found: FoundSeries,
    logs: list[dict[str, Any]],
    resumed: int,
    settings: str,
) -> dict[str, Any]:
    # What is no series belongs to nobody, so to the first part.
    left_out = [asdict(one) for one in found.left_out] if call.part_id == 0 else []
    facts = {
        'settings_sha256': settings,
        'resumed': resumed,
        'part': {'number': call.part_id, 'of': call.num_parts},
        'exit_code': _find_exit_code(logs, left_out),
    }
    return write_record(
        call.out / f'batch_report{call.part_suffix}.json',
        'batch_report',
        summarize_batch(logs, left_out, facts),
    )


def _find_exit_code(logs: list[dict[str, Any]], left_out: list[dict[str, Any]]) -> int:
    statuses = {log['status'] for log in logs}
    if 'failed' in statuses:
        return EXIT_SOME_FAILED
    if logs and 'accepted' not in statuses:
        return EXIT_ALL_REJECTED
    damaged = any(row['is_damaged'] for row in left_out)
    return EXIT_SOME_FAILED if damaged or 'unreadable' in statuses else EXIT_DONE


def _write_run(
    call: CascadeCall,
    record: RunRecord,
    settings: Mapping[str, Any],
    report: Mapping[str, Any] | None,
) -> None:
    facts = {
        **asdict(record),
        'cascade': {
            'settings_sha256': hash_json(settings),
            'settings': settings,
            'counts': None if report is None else report['counts'],
        },
    }
    write_json_atomic(call.out / f'run{call.part_suffix}.json', make_printable(facts))
