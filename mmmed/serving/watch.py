"""Watched folder: every scan that appears in one is segmented into another, once.

``RESULTS/<case>/report.json`` says what was made from which content with which model;
it is the only memory. A scan that fails gets a report too. Not here: HTTP.
"""

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmmed.files import write_json_atomic
from mmmed.inference.case_store import make_printable
from mmmed.inference.discovery import ScanCase, find_scans
from mmmed.serving.errors import ServiceError
from mmmed.serving.task import NOTICE, SCHEMA_VERSION, Task

Run = Callable[[Task], dict[str, Any]]
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Counts:
    """What a look at the folder did.

    Args:
        done: Scans that were segmented.
        failed: Scans that could not be, now or before.
        skipped: Scans that were finished already.
        unsettled: Scans that somebody still writes.
    """

    done: int = 0
    failed: int = 0
    skipped: int = 0
    unsettled: int = 0


class FolderWatch:
    """Segments what lies in a folder.

    Args:
        source: Searched with its subfolders; never written.
        results: Created if absent.
        model: Name of the model.
        fingerprint: Hash of what the model is made of: other weights, new results.
        run: Does a task, and raises what is wrong with it.
        voxels: Largest scan.
        settle_s: A file that changed within this time, in seconds, is left until the
            next look. One that was taken too early is taken again: it has changed.
    """

    def __init__(
        self,
        source: str | Path,
        results: str | Path,
        model: str,
        fingerprint: str,
        run: Run,
        *,
        voxels: int,
        settle_s: float = 2.0,
    ) -> None:
        self.source = Path(source)
        self.results = Path(results)
        self.model = model
        self._fingerprint = fingerprint
        self._run = run
        self._voxels = voxels
        self._settle_s = settle_s
        # By case: the state of its files when it was last finished or failed. Saves
        # hashing everything at every look.
        self._known: dict[str, tuple[Any, str]] = {}

    def look(self, stopping: threading.Event | None = None) -> Counts:
        """Segment everything that is new, one after the other.

        Args:
            stopping: Ends the look between two scans when it is set.
        """
        counts = dict.fromkeys(Counts.__dataclass_fields__, 0)
        for case in self._find():
            if stopping is not None and stopping.is_set():
                break
            counts[self._visit(case)] += 1
        return Counts(**counts)

    def watch(self, stopping: threading.Event, every_s: float = 5.0) -> None:
        """Look again and again until told to stop."""
        while not stopping.is_set():
            try:
                self.look(stopping)
            except Exception:  # a folder that is gone may come back
                _log.exception('the folder %s could not be searched', self.source)
            stopping.wait(every_s)

    def _find(self) -> list[ScanCase]:
        if not self.source.is_dir():
            raise FileNotFoundError(f'folder {self.source} does not exist')
        try:
            return find_scans(self.source, leave_out=self.results)
        except ValueError:  # nothing there yet
            return []

    def _visit(self, case: ScanCase) -> str:
        """What became of a case: a field of :class:`Counts`."""
        out = self.results / case.case_id
        facts: dict[str, Any] = {
            'case_id': case.case_id,
            'input': case.path.relative_to(self.source).as_posix(),
            'model_sha256': self._fingerprint,
        }
        try:
            state = _read_state(case)
            newest_s = max(changed for _, _, changed in state) / 1e9
            if 0 <= time.time() - newest_s < self._settle_s:
                return 'unsettled'
            known = self._known.get(case.case_id)
            if known is not None and known[0] == state:
                return 'skipped' if known[1] == 'done' else 'failed'
            facts['input_sha256'] = case.hash_content()
        except FileNotFoundError:  # removed while we looked
            return 'unsettled'
        except OSError as error:
            self._write_failure(out, facts, _describe_unreadable(error))
            return 'failed'
        status = _find_status(out, facts)
        if status is None:
            outcome = self._segment(case, out, facts)
            if outcome == 'unsettled':
                return outcome
        else:
            outcome = 'skipped' if status == 'done' else 'failed'
        self._known[case.case_id] = state, 'failed' if outcome == 'failed' else 'done'
        return outcome

    def _segment(self, case: ScanCase, out: Path, facts: dict[str, Any]) -> str:
        task = Task(case, out, self.model, facts, self._voxels, with_image=False)
        try:
            report = self._run(task)
        except ServiceError as error:
            if error.code in ('stopped', 'cancelled'):
                return 'unsettled'
            self._write_failure(out, facts, error)
            return 'failed'
        volume = report['volume_ml']
        lesions = report['lesion_count']
        _log.info('%s: %.2f ml in %d', case.case_id, volume, lesions)
        return 'done'

    def _write_failure(
        self, out: Path, facts: dict[str, Any], error: ServiceError
    ) -> None:
        _log.error('%s: failed: %s %s', facts['case_id'], error.why, error.remedy)
        # A mask of an older content would be taken for this one's.
        (out / 'mask.nii.gz').unlink(missing_ok=True)
        report = {
            'schema_version': SCHEMA_VERSION,
            'notice': NOTICE,
            'status': 'failed',
            **facts,
            'model': {'name': self.model},
            'error': error.to_dict(),
        }
        write_json_atomic(out / 'report.json', make_printable(report))


def _read_state(case: ScanCase) -> list[tuple[str, int, int]]:
    """Name, size and time of change of every file of a case."""
    stats = [(str(path), path.stat()) for path in case.files]
    # The change time, which no copy preserves and nobody can set.
    return [(name, stat.st_size, stat.st_ctime_ns) for name, stat in stats]


def _find_status(out: Path, facts: dict[str, Any]) -> str | None:
    """What a finished report says about this very content and model, if it does."""
    try:
        report = json.loads((out / 'report.json').read_text())
    except (OSError, ValueError):
        return None
    keys = ('input_sha256', 'model_sha256')
    if not isinstance(report, dict) or any(report.get(k) != facts[k] for k in keys):
        return None
    if report.get('status') == 'done' and not (out / 'mask.nii.gz').is_file():
        return None
    return report.get('status')


def _describe_unreadable(error: OSError) -> ServiceError:
    return ServiceError(
        500,
        'bad_scan',
        'The scan could not be segmented.',
        why=f'Its file cannot be read: {error.strerror}.',
        remedy='Check its permissions.',
    )
