"""A finished run as one page, one JSON and the CSV files behind them.

Not here: what stands in them (``content``, ``tables``, ``page``).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tqdm import tqdm

from mmmed.files import write_csv_atomic, write_json_atomic, write_text_atomic
from mmmed.functional.aggregation import DEFINITIONS
from mmmed.reporting.case_figures import CaseFigure, draw_cases
from mmmed.reporting.content import Content, gather_content
from mmmed.reporting.figure_sections import Drawings
from mmmed.reporting.figures import draw_curves, draw_distributions
from mmmed.reporting.page import render_page
from mmmed.reporting.tables import (
    list_cases,
    list_curves,
    list_patients,
    list_scores,
    rank_cases,
)
from mmmed.structures.run_record import RunRecord
from mmmed.version import __version__

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Report:
    """What was written.

    Args:
        html: The page.
        json: The same numbers for machines.
        content: What stands in both.
    """

    html: Path
    json: Path
    content: Content


def write_report(
    work_dir: str | Path,
    out: str | Path | None = None,
    *,
    max_cases: int = 6,
    show_progress: bool | None = None,
) -> Report:
    """Write ``report.html``, ``report.json``, CSV files and ``run.json``.

    Equal runs give equal pages, byte for byte: when and where the report was made
    stands in ``run.json`` only.

    Args:
        work_dir: Folder of a training or test run.
        out: Where to write; ``<work_dir>/report`` by default.
        max_cases: Worst, and best, cases shown of each evaluation.
        show_progress: Whether to show a bar; by default where there is a terminal.

    Raises:
        FileNotFoundError: There is no such folder, or nothing was evaluated in it.
        ValueError: A file that the report needs is damaged, or ``max_cases`` < 0.
        OSError: The output cannot be written.
    """
    if max_cases < 0:
        raise ValueError(f'max_cases is {max_cases}, expected a number >= 0')
    work_dir = Path(work_dir)
    target = Path(out) if out is not None else work_dir / 'report'
    record = RunRecord.start()
    content = gather_content(work_dir)
    patients = {e.name: list_patients(e) for e in content.evaluations}
    files = _write_tables(content, patients, target)
    drawings = _draw(content, max_cases, show_progress)
    page = render_page(content, drawings, patients, files)
    write_json_atomic(target / 'report.json', summarize_content(content, files))
    write_text_atomic(target / 'report.html', page)
    record.finish()
    record.write(target / 'run.json')
    return Report(target / 'report.html', target / 'report.json', content)


def summarize_content(content: Content, files: Iterable[str]) -> dict[str, Any]:
    """The report as JSON-ready values."""
    return {
        'schema_version': SCHEMA_VERSION,
        'mmmed': __version__,
        'run': content.name,
        'dataset': content.dataset,
        'definitions': DEFINITIONS,
        'findings': [finding.as_dict() for finding in content.findings],
        'evaluations': [
            {
                'name': e.name,
                'split': e.summary.get('split'),
                'fold': e.fold,
                'exposure': content.exposures[e.name].as_dict(),
                'empty_policy': e.policy.as_dict(),
                'manifest_sha256': e.summary.get('manifest_hash'),
                'structures': content.levels[e.name],
                'host': e.recorded.get('host'),
                'run': dict(e.run),
            }
            for e in content.evaluations
        ],
        'training_run': dict(content.training_run),
        'files': list(files),
    }


def _write_tables(
    content: Content, patients: dict[str, list[dict[str, Any]]], target: Path
) -> dict[str, str]:
    """Write every CSV; returns link to description of each file of the report."""
    scores = [
        row
        for e in content.evaluations
        for row in list_scores(
            e, content.exposures[e.name].kind, content.levels[e.name]
        )
    ]
    write_csv_atomic(target / 'scores.csv', scores)
    files = {'scores.csv': 'every score, interval and count of the tables above'}
    if content.log.files:
        write_csv_atomic(target / 'curves.csv', list_curves(content.log))
        files['curves.csv'] = 'every logged value of the training'
    for e in content.evaluations:
        write_csv_atomic(target / e.name / 'cases.csv', list_cases(e))
        write_csv_atomic(target / e.name / 'patients.csv', patients[e.name])
        link = quote(e.name)
        files[f'{link}/cases.csv'] = f'{e.name}: one row per image and structure'
        files[f'{link}/patients.csv'] = f'{e.name}: one row per patient and structure'
    files['report.json'] = 'this report for machines'
    files['run.json'] = 'when, where and with which versions it was made'
    return files


def _draw(content: Content, max_cases: int, show_progress: bool | None) -> Drawings:
    ranked = {e.name: rank_cases(e, max_cases) for e in content.evaluations}
    groups = [
        (e, group, getattr(ranked[e.name], group))
        for e in content.evaluations
        for group in ('worst', 'false_alarms', 'best')
    ]
    galleries: dict[str, dict[str, list[CaseFigure]]] = {}
    # None lets tqdm look for a terminal.
    hidden = None if show_progress is None else not show_progress
    total = sum(len(case_ids) for *_, case_ids in groups)
    with tqdm(total=total, desc='overlays', unit='case', disable=hidden) as bar:
        for evaluation, group, case_ids in groups:
            figures = galleries.setdefault(evaluation.name, {}).setdefault(group, [])
            for figure in draw_cases(evaluation, case_ids):
                figures.append(figure)
                bar.update()
    return Drawings(
        distributions={
            label: list(draw_distributions(content, label)) for label in content.labels
        },
        curves=list(draw_curves(content)),
        galleries=galleries,
    )
