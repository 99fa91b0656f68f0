"""A folder of scans to a folder of masks: resumable, one bad case never stops it.

Not here: what happens to a scan in memory (``inferencer``), which files may be
replaced (``case_store``).
"""

import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from mmmed.files import hash_json, write_csv_atomic, write_json_atomic
from mmmed.inference.case_job import CaseJob
from mmmed.inference.case_store import (
    CaseStore,
    make_printable,
    remove_leftovers,
)
from mmmed.inference.discovery import ScanCase, find_scans, select_part
from mmmed.inference.inferencer import Inferencer
from mmmed.inference.loading import LoadedNetworks
from mmmed.inference.options import RunOptions
from mmmed.structures.run_record import RunRecord, hash_config
from mmmed.version import __version__

# Raise when the masks made from the same scan, weights and options change.
_FORMAT = 1
EXIT_DONE, EXIT_SOME_FAILED = 0, 3
_log = logging.getLogger(__name__)


@dataclass
class RunOutcome:
    """What a run did.

    Attributes:
        cases: Report of every case of this part, in order.
        out: Folder of the results.
    """

    out: Path
    cases: list[dict[str, Any]] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0, or 3 if some case failed."""
        return EXIT_SOME_FAILED if self.count('failed') else EXIT_DONE

    def count(self, status: str) -> int:
        """Cases that are ``'done'``, ``'skipped'``, ``'failed'`` or ``'planned'``."""
        return sum(report['status'] == status for report in self.cases)

    def summarize(self) -> dict[str, Any]:
        """Numbers for people and machines."""
        names = ('done', 'skipped', 'failed', 'planned')
        failed = [r for r in self.cases if r['status'] == 'failed']
        return {
            'out': make_printable(str(self.out)),
            'cases': len(self.cases),
            **{name: self.count(name) for name in names},
            'errors': {r['case_id']: r['error'] for r in failed},
        }


def infer_scans(
    inferencer: Inferencer,
    loaded: LoadedNetworks,
    source: str | Path,
    out: str | Path,
    options: RunOptions | None = None,
) -> RunOutcome:
    """Predict every scan of a path and write the results.

    A case that is finished (same config, weights, options and scan, files unchanged)
    is skipped. The next scan is predicted while the last one is being written.

    Args:
        inferencer: Built from ``loaded``.
        loaded: For what is recorded.
        source: A scan, a DICOM folder, or a folder of either.
        out: Folder of the results; see :mod:`mmmed.inference.case_store`.
        options: See :class:`RunOptions`.

    Returns:
        What was done; failed cases carry their error.

    Raises:
        FileNotFoundError: Nothing lies at ``source``.
        ValueError: There is no scan, or ``out`` holds results of other settings.
        OSError: ``out`` cannot be written.
    """
    options = options or RunOptions()
    source, out = Path(source), Path(out)
    if source.resolve() == out.resolve() or out.is_file():
        raise ValueError(f'{out} is the input or a file; results need another folder')
    if 'prob' in options.save and inferencer.rule != 'mean':
        raise ValueError(
            f'an ensemble by {inferencer.rule} gives labels, no probabilities; use '
            '--ensemble mean, or --save seg'
        )
    settings = describe_settings(inferencer, loaded, options)
    settings_hash = hash_json(settings)
    cases = select_part(
        find_scans(source, leave_out=out), options.num_parts, options.part_id
    )
    stores = [
        CaseStore(out, case, inferencer.recipe.classes, options.save) for case in cases
    ]
    if not options.overwrite:
        for store in stores:
            store.check_settings(settings_hash)
    jobs = [CaseJob(store, inferencer, settings_hash, options) for store in stores]
    if options.dry_run:
        return RunOutcome(out, [job.plan() for job in jobs])
    record = RunRecord.start(config=loaded.config)
    outcome = RunOutcome(out)
    _write_record(record, outcome, settings, settings_hash, options)
    with logging_redirect_tqdm(), _Bar(cases, options.show_progress) as bar:
        for report in _run_jobs(jobs, bar):
            outcome.cases.append(report)
            _tell(report, len(outcome.cases), len(jobs))
    record.finish()
    _write_record(record, outcome, settings, settings_hash, options)
    return outcome


def describe_settings(
    inferencer: Inferencer, loaded: LoadedNetworks, options: RunOptions
) -> dict[str, Any]:
    """Everything beside the scan that decides what is written."""
    config = loaded.config
    rule = inferencer.organ_rule
    return {
        # Only where it is set: results without it are still what they were.
        **({} if rule is None else {'keep_near': rule.as_list()}),
        'format': _FORMAT,
        'recipe': inferencer.recipe.to_dict(),
        'model_sha256': None
        if config is None
        else hash_config({'model': config['model']}),
        'weights_sha256': [digest for _, digest in loaded.weights],
        'rule': inferencer.rule,
        'tta': inferencer.use_tta,
        'save': sorted(options.save),
        'irregular': options.irregular,
    }


def _run_jobs(jobs: list[CaseJob], bar: '_Bar') -> Iterator[dict[str, Any]]:
    """Reports in order; each case is written while the next one is predicted."""
    waiting: Future[dict[str, Any]] | None = None
    with ThreadPoolExecutor(1, 'mmmed-write') as pool:
        for job in jobs:
            finish = job.run(bar.tell)
            if waiting is not None:
                yield waiting.result()
            waiting = pool.submit(finish)
            del finish  # it holds the scan
            bar.next()
        if waiting is not None:
            yield waiting.result()


def _write_record(
    record: RunRecord,
    outcome: RunOutcome,
    settings: Mapping[str, Any],
    settings_hash: str,
    options: RunOptions,
) -> None:
    """``run.json`` and ``cases.csv``, with the part in their names if there are."""
    part = ''
    if options.num_parts > 1:
        part = f'-part{options.part_id}of{options.num_parts}'
    facts = {
        **asdict(record),
        'inference': {
            'mmmed': __version__,
            'settings_sha256': settings_hash,
            'settings': settings,
            'summary': {**outcome.summarize(), 'out': '.'},
        },
    }
    paths = outcome.out / f'run{part}.json', outcome.out / f'cases{part}.csv'
    remove_leftovers(paths)
    write_json_atomic(paths[0], make_printable(facts))
    write_csv_atomic(paths[1], [_make_row(report) for report in outcome.cases])


def _make_row(report: Mapping[str, Any]) -> dict[str, Any]:
    classes = report.get('classes') or {}
    return {
        'case_id': report['case_id'],
        'status': report['status'],
        'lesion_count': report.get('lesion_count'),
        **{f'volume_ml_{name}': row['volume_ml'] for name, row in classes.items()},
        'seconds': (report.get('timings_s') or {}).get('total'),
        'warnings': len(report.get('warnings') or ()),
        'error': report.get('error'),
    }


def _tell(report: Mapping[str, Any], number: int, total: int) -> None:
    name, status = report['case_id'], report['status']
    place = f'[{number}/{total}] {name}'
    if status == 'failed':
        _log.error('%s: failed: %s', place, report['error'])
        return
    if status == 'skipped':
        _log.info('%s: finished already', place)
        return
    for text in report.get('warnings') or ():
        _log.warning('%s: %s', place, text)
    parts = [
        f'{row["volume_ml"]:.2f} ml {label} in {row["components"]}'
        for label, row in (report.get('classes') or {}).items()
        if row['voxels']
    ]
    text = ', '.join(parts[:5]) or 'nothing found'
    more = f' and {len(parts) - 5} more' if len(parts) > 5 else ''
    _log.info('%s: %s%s (%.1f s)', place, text, more, report['timings_s']['total'])


class _Bar:
    """Progress over cases, in parts of a case."""

    def __init__(self, cases: list[ScanCase], is_shown: bool) -> None:
        self._bar = tqdm(
            total=len(cases),
            unit='scan',
            disable=not is_shown,
            bar_format='{desc}{percentage:3.0f}%|{bar}| {n:.1f}/{total} scans '
            '[{elapsed}<{remaining}]',
        )
        self._finished = 0

    def __enter__(self) -> '_Bar':
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def tell(self, share: float) -> None:
        """A share of the case is done."""
        self._bar.update(self._finished + share - self._bar.n)

    def next(self) -> None:
        """The case is predicted."""
        self._finished += 1
        self.tell(0.0)
