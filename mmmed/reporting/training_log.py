"""Losses and validation scores of a training, merged over its interruptions.

Not here: which of them are shown (``page``).
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Bookkeeping of the logger, not results.
_NOT_VALUES = {'step', 'iter', 'epoch', 'time', 'data_time', 'memory'}
# Only lines written while training carry one of these.
_TRAIN_KEYS = {'lr', 'loss'}

Record = dict[str, float]


@dataclass
class TrainingLog:
    """Values over training.

    Args:
        train: Records of training iterations, each with ``step``.
        val: Records of validations, each with ``step``.
        resumed_at: First training step after each resume.
        by_epoch: Whether validation steps count epochs.
        damaged_lines: Lines that could not be read, as a kill leaves one.
        files: Log files, oldest first.
    """

    train: list[Record] = field(default_factory=list)
    val: list[Record] = field(default_factory=list)
    resumed_at: list[float] = field(default_factory=list)
    by_epoch: bool = False
    damaged_lines: int = 0
    files: list[Path] = field(default_factory=list)

    def get_series(self, phase: str, name: str) -> tuple[list[float], list[float]]:
        """Steps and values of one name in ``'train'`` or ``'val'``."""
        records = self.train if phase == 'train' else self.val
        found = [(r['step'], r[name]) for r in records if name in r]
        return [step for step, _ in found], [value for _, value in found]

    def list_names(self, phase: str) -> list[str]:
        """Names of all values in ``'train'`` or ``'val'``, as first met."""
        records = self.train if phase == 'train' else self.val
        names = dict.fromkeys(name for record in records for name in record)
        return [name for name in names if name not in _NOT_VALUES]


def read_training_log(work_dir: Path) -> TrainingLog:
    """All logs of a work folder; empty if training left none.

    A resumed run repeats the steps after its checkpoint. What it logged replaces
    what the interrupted run logged from there on.
    """
    log = TrainingLog()
    # Folders are named by time, so their order is that of the runs.
    for path in sorted(work_dir.glob('*/vis_data/scalars.json')):
        records, damaged = _read_records(path)
        log.damaged_lines += damaged
        train = [r for r in records if _TRAIN_KEYS & r.keys()]
        val = [r for r in records if not _TRAIN_KEYS & r.keys()]
        if not train:
            continue  # a test run writes no curve
        log.files.append(path)
        log.by_epoch = log.by_epoch or any('epoch' in r for r in train)
        first = train[0]['step']
        kept = _keep_before(log.train, first)
        log.resumed_at = [step for step in log.resumed_at if step < first]
        if kept:
            log.resumed_at.append(first)
        log.train = kept + train
        if val:
            log.val = _keep_before(log.val, val[0]['step']) + val
        elif not kept:
            log.val = []
    log.val = _merge_steps(log.val)
    return log


def _keep_before(records: Sequence[Record], step: float) -> list[Record]:
    return [record for record in records if record['step'] < step]


def _merge_steps(records: Sequence[Record]) -> list[Record]:
    """One record per step: metrics may be logged one by one, or repeated."""
    merged: dict[float, Record] = {}
    for record in records:
        merged.setdefault(record['step'], {}).update(record)
    return [merged[step] for step in sorted(merged)]


def _read_records(path: Path) -> tuple[list[Record], int]:
    records, damaged = [], 0
    for line in path.read_text(encoding='utf-8', errors='replace').splitlines():
        if not line.strip():
            continue
        record = _read_record(line)
        if record is None:
            damaged += 1
        elif len(record) > 1:
            records.append(record)
    return records, damaged


def _read_record(line: str) -> Record | None:
    """Numbers of one line; None if the line is not a record."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    record = {name: float(v) for name, v in value.items() if _is_number(v)}
    if 'step' not in record or math.isnan(record['step']):
        return None
    return record


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
