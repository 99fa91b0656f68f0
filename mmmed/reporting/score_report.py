"""Scores of a folder of masks as one page, and the CSV files behind its numbers.

Not here: what stands in them (``score_page``, ``score_tables``, ``score_plots``).
"""

from pathlib import Path

from mmmed.files import write_csv_atomic, write_text_atomic
from mmmed.reporting.comparison_blocks import name_sides
from mmmed.reporting.score_findings import collect_score_findings
from mmmed.reporting.score_folder import ScoreFolder, read_score_folder
from mmmed.reporting.score_page import ScoreDrawings, render_score_page
from mmmed.reporting.score_plots import (
    draw_comparison,
    draw_distributions,
    draw_lesions,
    draw_volumes,
)
from mmmed.reporting.score_tables import (
    list_comparison_rows,
    list_lesion_rows,
    list_score_rows,
)

_FILES = {
    'scores.csv': 'every mean of this page, with its spread and interval',
    'lesion_scores.csv': 'lesions of all cases together, by size',
    'comparison_scores.csv': 'every test of the comparison',
    'cases.csv': 'one row per case and structure',
    'lesions.csv': 'one row per lesion of either side',
    'slices.csv': 'one row per slice and structure',
    'comparison.csv': 'both predictions, one row per case, structure and score',
    'summary.json': 'definitions, options and all numbers for machines',
    'run.json': 'when, where and with which versions the masks were scored',
}


def write_score_report(folder: str | Path) -> Path:
    """Write ``report.html`` into an output folder of ``tools/evaluate.py``.

    The page is one file that opens offline; beside it ``scores.csv``,
    ``lesion_scores.csv`` and, for two predictions, ``comparison_scores.csv`` hold its
    numbers. Equal folders give equal pages, byte for byte.

    Args:
        folder: Holds ``summary.json`` and the tables.

    Returns:
        The page.

    Raises:
        FileNotFoundError: There is no such folder, or nothing was evaluated in it.
        ValueError: A file is damaged; the message names it.
        OSError: The page cannot be written.
    """
    folder = Path(folder)
    scores = read_score_folder(folder)
    try:
        tables = {
            'scores.csv': list_score_rows(scores),
            'lesion_scores.csv': list_lesion_rows(scores),
        }
        if scores.summary['comparison']:
            tables['comparison_scores.csv'] = list_comparison_rows(scores)
        present = {name for name in _FILES if (folder / name).is_file()}
        files = {
            name: words
            for name, words in _FILES.items()
            if name in tables or (name in present and name not in _WRITTEN)
        }
        findings = collect_score_findings(scores)
        page = render_score_page(scores, findings, _draw(scores), files)
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(
            f'{folder / "summary.json"}: not as `tools/evaluate.py` writes it '
            f'({type(error).__name__}: {error}); evaluate again'
        ) from error
    for name in _WRITTEN:
        if name in tables:
            write_csv_atomic(folder / name, tables[name])
        else:
            (folder / name).unlink(missing_ok=True)
    write_text_atomic(folder / 'report.html', page)
    return folder / 'report.html'


# Of an earlier report, a file that this one does not have is removed.
_WRITTEN = ('scores.csv', 'lesion_scores.csv', 'comparison_scores.csv')


def _draw(scores: ScoreFolder) -> ScoreDrawings:
    comparison = scores.summary['comparison']
    return ScoreDrawings(
        distributions=list(draw_distributions(scores)),
        volumes=list(draw_volumes(scores)),
        lesions=list(draw_lesions(scores)),
        comparison=list(draw_comparison(scores, name_sides(scores)))
        if comparison
        else [],
    )
