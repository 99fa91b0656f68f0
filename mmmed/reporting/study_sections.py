"""One section of a comparison as Markdown: heading, table, what to make of it.

Not here: which sections there are and their order (``study_page``).
"""

from collections.abc import Callable, Sequence
from typing import Any

from mmmed.reporting.findings import MIN_PATIENTS
from mmmed.reporting.study_markdown import (
    format_bounds,
    format_number,
    format_p,
    format_pair,
    format_seconds,
    format_share,
    format_signed,
    format_value,
    make_table,
)
from mmmed.reporting.study_spec import TableSpec

Row = dict[str, Any]
Rows = Sequence[Row]
_BY_WORDS = {
    'model': 'network',
    'loss': 'loss',
    'plane': 'plane',
    'batches': 'batches',
    'seed': 'seed',
}


def render_section(name: str, rows: Rows, table: TableSpec) -> list[str]:
    """Lines of a section.

    Args:
        name: One of ``study_spec.SECTIONS``.
        rows: Its rows, at least one.
        table: What was asked for.
    """
    head = 'mask' if table.kind == 'fusion' else _BY_WORDS[table.by]
    if name == 'volumes' and table.kind == 'seeds':
        return _render_seeds(rows, head)
    return _RENDERERS[name](rows, head)


def _render_volumes(rows: Rows, head: str) -> list[str]:
    table = make_table(
        [
            head,
            'subjects',
            'Dice',
            '95 % interval',
            'median',
            'precision',
            'recall',
            'volume error, ml',
        ],
        [
            [
                row['method'],
                format_value(row['dice_n']),
                format_pair(row['dice_mean'], row['dice_sd']),
                format_bounds(row['dice_low'], row['dice_high']),
                format_number(row['dice_median']),
                format_number(row['precision_mean']),
                format_number(row['recall_mean']),
                format_number(row['absolute_volume_difference_ml_mean'], 1),
            ]
            for row in rows
        ],
    )
    return ['### Whole volumes', '', *table, '', *_tell_undefined(rows)]


def _tell_undefined(rows: Rows) -> list[str]:
    count = max(row['dice_n_undefined'] for row in rows)
    if not count:
        return []
    return [
        f'Up to {count} subject(s) are empty in reference and mask; they have no Dice '
        'and are left out.',
        '',
    ]


def _render_seeds(rows: Rows, head: str) -> list[str]:
    names = {'mean': 'mean', 'sd': 'SD over seeds'}
    table = make_table(
        [
            head,
            'seed',
            '3-D Dice',
            'median',
            'Dice of lesion slices',
            'lesion slices left empty',
            'lesion-free slices marked',
        ],
        [
            [
                row['group'],
                names.get(str(row['seed']), format_value(row['seed'])),
                format_number(row['dice_mean']),
                format_number(row['dice_median']),
                format_number(row['lesion_slices_dice']),
                format_share(row['left_empty']),
                format_share(row['free_marked']),
            ]
            for row in rows
        ],
    )
    means = [row for row in rows if row['seed'] == 'mean']
    spreads = [row for row in rows if row['seed'] == 'sd']
    words = [
        f'{mean["group"]} {format_pair(mean["dice_mean"], sd["dice_mean"])} '
        f'({mean["n_seeds"]} seed{"" if mean["n_seeds"] == 1 else "s"})'
        for mean, sd in zip(means, spreads, strict=True)
    ]
    text = (
        f'3-D Dice, mean ± SD over seeds: {"; ".join(words)}. The SD is what training '
        'noise alone moves; a difference of its size says nothing.'
    )
    return ['### Every seed', '', *table, '', text, '']


def _render_slices(rows: Rows, head: str) -> list[str]:
    table = make_table(
        [
            head,
            'lesion slices',
            'Dice',
            'Dice, by subject',
            '95 % interval',
            'left empty',
            'lesion-free slices',
            'marked',
        ],
        [
            [
                row['method'],
                format_value(row['lesion_slices']),
                format_pair(row['dice_mean'], row['dice_sd']),
                format_number(row['dice_subjects_mean']),
                format_bounds(row['dice_subjects_low'], row['dice_subjects_high']),
                format_share(row['left_empty']),
                format_value(row['free_slices']),
                format_share(row['free_marked']),
            ]
            for row in rows
        ],
    )
    return ['### Slices with lesion and without, apart', '', *table, '']


def _render_published(rows: Rows, head: str) -> list[str]:
    table = make_table(
        [
            head,
            'slices with lesion',
            'all slices',
            'all background',
            'gain',
            'half with lesion',
            'all background',
            'gain',
        ],
        [
            [
                row['method'],
                format_share(row['lesion_share']),
                format_number(row['all_dice']),
                format_number(row['all_background']),
                format_signed(row['all_dice'] - row['all_background']),
                format_number(row['half_dice']),
                format_number(row['half_background']),
                format_signed(row['half_dice'] - row['half_background']),
            ]
            for row in rows
        ],
    )
    return ['### The same slices in the published arithmetic', '', *table, '']


def _render_strata(rows: Rows, head: str) -> list[str]:
    return [
        '### 3-D Dice by lesion volume',
        '',
        *_render_groups(rows, 'lesion volume'),
        '',
    ]


def _render_sites(rows: Rows, head: str) -> list[str]:
    return ['### 3-D Dice by site', '', *_render_groups(rows, 'site'), '']


def _render_groups(rows: Rows, head: str) -> list[str]:
    """Groups down, methods across; the number of subjects is that of the first."""
    methods = list(dict.fromkeys(row['method'] for row in rows))
    groups = list(dict.fromkeys(row['group'] for row in rows))
    cells = {(row['group'], row['method']): row for row in rows}
    lines = []
    for group in groups:
        found = [cells[group, m] for m in methods if (group, m) in cells]
        values = [
            format_pair(cells[group, m]['dice_mean'], cells[group, m]['dice_sd'])
            if (group, m) in cells
            else format_number(None)
            for m in methods
        ]
        lines.append([group, format_value(max(r['dice_n'] for r in found)), *values])
    return make_table([head, 'subjects', *methods], lines)


def _render_paired(rows: Rows, head: str) -> list[str]:
    table = make_table(
        [
            'pair',
            'subjects',
            'difference of Dice',
            '95 % interval',
            'better, equal, worse',
            'p',
            'p, corrected',
        ],
        [
            [
                f'{row["first"]} against {row["second"]}',
                format_value(row['n']),
                format_signed(row['mean_difference']),
                _format_signed_bounds(row['low'], row['high']),
                f'{row["higher"]}, {row["ties"]}, {row["lower"]}',
                format_p(row['p_value']),
                format_p(row['p_holm']),
            ]
            for row in rows
        ],
    )
    return ['### In pairs, by subject', '', *table, '', *_judge(rows), '']


def _format_signed_bounds(low: float, high: float) -> str:
    if low != low or low == high:
        return format_number(None)
    return f'{format_signed(low)} to {format_signed(high)}'


def _judge(rows: Rows) -> list[str]:
    """What the interval and the corrected test agree on, in words."""
    few = min(row['n_units'] for row in rows)
    if few < MIN_PATIENTS:
        return [f'{few} subjects are too few to tell.']
    better = [row['second'] for row in rows if row['low'] > 0 and row['p_holm'] < 0.05]
    worse = [row['second'] for row in rows if row['high'] < 0 and row['p_holm'] < 0.05]
    told = [*better, *worse]
    open_ = [row['second'] for row in rows if row['second'] not in told]
    first = rows[0]['first']
    words = []
    if better:
        words.append(f'{first} is better than {_join(better)}')
    if worse:
        words.append(f'{first} is worse than {_join(worse)}')
    if open_:
        words.append(
            f'these subjects do not decide between {first} and {_join(open_, "or")}'
        )
    text = '; '.join(words)
    return [f'A difference counts where interval and corrected test agree: {text}.']


def _join(names: Sequence[str], word: str = 'and') -> str:
    if len(names) == 1:
        return names[0]
    return f'{", ".join(names[:-1])} {word} {names[-1]}'


def _render_budget(rows: Rows, head: str) -> list[str]:
    table = make_table(
        [
            head,
            'seed',
            'iterations',
            'batch',
            'parameters',
            'device',
            'training',
        ],
        [
            [
                row['method'],
                format_value(row['seed']),
                _format_iterations(row),
                format_value(row['batch_size']),
                format_value(row['parameters']),
                format_value(row['device']),
                _format_training(row),
            ]
            for row in rows
        ],
    )
    budgets = {(row['iterations'], row['batch_size']) for row in rows}
    text = (
        'All with the same number of iterations and slices.'
        if len(budgets) == 1
        else 'The budgets are not equal: differences of score may be differences of '
        'budget.'
    )
    clock = (
        'Training time is wall-clock time with validation on a machine that may have '
        'done other things too; it does not compare speed.'
    )
    return ['### Budget', '', *table, '', f'{text} {clock}', '']


def _format_iterations(row: Row) -> str:
    done, planned = row['iterations'], row['planned_iterations']
    text = format_value(done)
    return text if planned in (None, done) else f'{text} of {format_value(planned)}'


def _format_training(row: Row) -> str:
    text = format_seconds(row['seconds'])
    if row['trainings'] > 1:
        text += f', {row["trainings"]} trainings'
    return f'{text} since resumed' if row['resumed'] else text


_RENDERERS: dict[str, Callable[[Rows, str], list[str]]] = {
    'volumes': _render_volumes,
    'slices': _render_slices,
    'published': _render_published,
    'strata': _render_strata,
    'sites': _render_sites,
    'paired': _render_paired,
    'budget': _render_budget,
}
