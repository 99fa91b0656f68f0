"""Tables of single cases: the worst ones, and all of them.

Not here: numbers over all cases (``score_blocks``), overlays (``case_figures``).
"""

from collections.abc import Iterable

from mmmed.reporting.html import Child, element, make_row, make_table_of
from mmmed.reporting.score_folder import Row, ScoreFolder
from mmmed.reporting.score_tables import rank_worst
from mmmed.reporting.score_wording import format_number
from mmmed.reporting.wording import NONE, SHORT_OUTCOMES

NUM_WORST = 10
# A longer table makes a slow page; cases.csv holds them all.
MAX_ROWS = 1500
_COLUMNS = {
    'dice': 'Dice',
    'surface_dice': 'Surface Dice',
    'hausdorff95_mm': 'HD95 (mm)',
    'average_surface_distance_mm': 'ASSD (mm)',
    'target_volume_ml': 'reference (ml)',
    'pred_volume_ml': 'predicted (ml)',
}


def render_cases(scores: ScoreFolder) -> list[Child]:
    """The worst cases of each structure, with links into the table of all."""
    labels = scores.labels
    worst: list[int] = []
    number = max(NUM_WORST // len(labels), 3) if len(labels) <= 5 else 0
    for label in labels if number else ():
        places = [p for p, row in enumerate(scores.cases) if row['label'] == label]
        ranked = rank_worst([scores.cases[place] for place in places], number)
        worst += [places[place] for place in ranked]
    if not number:
        worst = rank_worst(scores.cases, 2 * NUM_WORST)
    listed = _choose_rows(scores, worst)
    text = (
        'Lowest Dice first, then greatest HD95. A case leads to its row in the table '
        'of all cases.'
    )
    rows = [_make_row(scores, place, anchor=False) for place in worst]
    everything = [_make_row(scores, place, anchor=True) for place in listed]
    name = f'All {len(scores.cases):,} rows of cases.csv'
    if len(listed) < len(scores.cases):
        name = (
            f'{len(listed):,} of {len(scores.cases):,} rows: the first ones and the '
            'worst; the others stand in cases.csv'
        )
    return [
        element('p', text, class_='soft'),
        _make_table(scores, rows),
        element('details', element('summary', name), _make_table(scores, everything)),
    ]


def _choose_rows(scores: ScoreFolder, worst: Iterable[int]) -> list[int]:
    total = len(scores.cases)
    return sorted({*range(min(total, MAX_ROWS)), *worst})


def _make_table(scores: ScoreFolder, rows: Iterable[Child]) -> Child:
    many = len(scores.labels) > 1
    heads = ['case', *(['structure'] if many else []), 'outcome', *_COLUMNS.values()]
    return make_table_of(
        [*heads, 'lesions found', 'false lesions'], rows, class_='dense'
    )


def _make_row(scores: ScoreFolder, place: int, *, anchor: bool) -> Child:
    row = scores.cases[place]
    case: Child = row['case_id']
    if not anchor:
        # Numbers, not names: an id may be anything.
        case = element('a', row['case_id'], href=f'#case-{place}')
    cells = [
        case,
        *([row['label']] if len(scores.labels) > 1 else []),
        SHORT_OUTCOMES.get(row['outcome'], row['outcome']),
        *(
            format_number(row.get(name), name, scores.metrics[name]['unit'])
            for name in _COLUMNS
        ),
        _describe_found(row),
        format_number(row.get('false_positive_lesions'), 'false_positive_lesions'),
    ]
    return make_row(cells, id=f'case-{place}' if anchor else None)


def _describe_found(row: Row) -> str:
    target = row.get('target_lesions')
    if not target:
        return NONE
    return f'{row["found_lesions"]:g} of {target:g}'
