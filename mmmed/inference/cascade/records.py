"""JSON records of a run: of a series, of a patient, of everything; each with a schema.

The schemas are files of this package (``schemas/*.json``); nothing is written that
they do not allow. Not here: doing what is recorded.
"""

import functools
import importlib.resources
import json
import platform
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np

from mmmed.files import write_json_atomic
from mmmed.inference.case_store import make_printable
from mmmed.version import __version__

SCHEMA_VERSION = 1
KINDS = ('processing_log', 'analysis_summary', 'batch_report', 'lesion_analysis')
LOG_NAME = 'processing_log.json'
SUMMARY_NAME = 'analysis_summary.json'
STATUSES = ('accepted', 'rejected', 'unreadable', 'failed')
_PERCENTILES = (50, 90, 95)


def read_schema(kind: str) -> dict[str, Any]:
    """The JSON schema of a kind of record, one of ``KINDS``."""
    return dict(_make_validator(kind).schema)


def check_record(kind: str, record: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` if a record is not what its schema says."""
    error = jsonschema.exceptions.best_match(_make_validator(kind).iter_errors(record))
    if error is not None:
        place = '/'.join(str(step) for step in error.absolute_path) or 'the record'
        raise ValueError(f'{kind}: {place}: {error.message:.300}')


def write_record(path: Path, kind: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """Check a record against its schema and write it, atomically.

    Returns:
        The record as it was written.

    Raises:
        ValueError: It is not what its schema says.
        OSError: The file cannot be written.
    """
    printable: dict[str, Any] = make_printable(record)
    check_record(kind, printable)
    write_json_atomic(path, printable)
    return printable


def make_generated_by() -> list[dict[str, str]]:
    """Who made a file, in the words of BIDS."""
    return [{'Name': 'mmmed spine inference', 'Version': __version__}]


def describe_software() -> dict[str, str]:
    """Versions that can change a number."""
    import torch

    return {
        'mmmed': __version__,
        'python': platform.python_version(),
        'torch': torch.__version__,
        'numpy': np.__version__,
    }


def summarize_patient(patient: str, logs: Sequence[Mapping[str, Any]]) -> dict:
    """Record of a patient from the logs of the patient's series.

    Args:
        patient: Name of the folder.
        logs: Contents of ``processing_log.json``.
    """
    rows = []
    for log in logs:
        lesions = log.get('lesions') or {}
        rows.append(
            {
                'series': log['series'],
                'status': log['status'],
                'reason': log['reason'],
                'labels': {
                    stage['name']: stage['label']
                    for stage in log['stages']
                    if stage['label'] is not None
                },
                'lesion_count': lesions.get('count'),
                'lesion_volume_mm3': lesions.get('volume_mm3'),
                'cord_volume_mm3': lesions.get('cord_volume_mm3'),
                'flags': find_flags(log),
            }
        )
    return {
        'schema_version': SCHEMA_VERSION,
        'patient': patient,
        'counts': count_statuses(logs),
        'series': rows,
        'GeneratedBy': make_generated_by(),
    }


def find_flags(log: Mapping[str, Any]) -> list[str]:
    """Words for what a reader of a series' result should know first."""
    lesions = log.get('lesions') or {}
    flags = {
        'no_cord': log['status'] == 'accepted' and not lesions.get('cord_volume_mm3'),
        'lesion': bool(lesions.get('count')),
        'lesion_outside_cord': bool(lesions.get('outside_count')),
        'gate_overruled': log['status'] == 'accepted'
        and any(not stage['accepted'] for stage in log['stages']),
        'no_geometry': (log['input'] or {}).get('format') == 'pictures',
        'warnings': bool(log['warnings']),
    }
    return [name for name, holds in flags.items() if holds]


def summarize_batch(
    logs: Sequence[Mapping[str, Any]],
    left_out: Iterable[Mapping[str, Any]],
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """Record of a run over many series.

    Args:
        logs: Of all series of the run, also of those that were finished before.
        left_out: What lay in the input and is no series.
        facts: ``settings_sha256``, ``resumed``, ``part``, ``exit_code``.
    """
    not_accepted = [log for log in logs if log['status'] != 'accepted']
    return {
        'schema_version': SCHEMA_VERSION,
        'software': describe_software(),
        **facts,
        'counts': count_statuses(logs),
        'patients': len({log['patient'] for log in logs}),
        'lesion_count': sum((log['lesions'] or {}).get('count', 0) for log in logs),
        'rejected': [
            {
                **{k: log[k] for k in ('patient', 'series', 'status', 'reason')},
                'place': (log['input'] or {}).get('place'),
                'stage': find_stage(log),
            }
            for log in not_accepted
        ],
        'left_out': list(left_out),
        'seconds_per_series': summarize_seconds(
            [log['total_seconds'] for log in logs if log['total_seconds'] is not None]
        ),
    }


def count_statuses(logs: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Number of series by status, and of all."""
    times = Counter(log['status'] for log in logs)
    return {'series': times.total(), **{name: times[name] for name in STATUSES}}


def find_stage(log: Mapping[str, Any]) -> str | None:
    """Stage that ended the analysis: the last one that did not accept, or ``input``."""
    if log['status'] == 'failed':
        return None
    refused = [stage['name'] for stage in log['stages'] if not stage['accepted']]
    return refused[-1] if refused else 'input'


def summarize_seconds(values: Sequence[float]) -> dict[str, float | int | None]:
    """Count, mean, percentiles and largest of durations; None of nothing."""
    names = ['mean', *(f'p{q}' for q in _PERCENTILES), 'max']
    if not values:
        return {'n': 0, **dict.fromkeys(names)}
    numbers = [
        np.mean(values), *np.percentile(values, _PERCENTILES), np.max(values)
    ]  # fmt: skip
    return {
        'n': len(values),
        **{
            name: round(float(number), 3)
            for name, number in zip(names, numbers, strict=True)
        },
    }


@functools.cache
def _make_validator(kind: str) -> jsonschema.Draft202012Validator:
    if kind not in KINDS:
        raise ValueError(f'no schema of {kind!r}, expected one of {KINDS}')
    folder = importlib.resources.files('mmmed.inference.cascade')
    text = (folder / 'schemas' / f'{kind}.json').read_text(encoding='utf-8')
    return jsonschema.Draft202012Validator(json.loads(text))
