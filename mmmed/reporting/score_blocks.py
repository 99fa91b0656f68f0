"""Sections of a page about scores that are tables over all cases.

Not here: the numbers (``mmmed.evaluation``), single cases and comparisons
(``case_blocks``, ``comparison_blocks``), the page around them (``score_page``).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mmmed.functional.overlap import OUTCOMES, EmptyPolicy
from mmmed.reporting.html import (
    Child,
    Markup,
    element,
    join,
    make_row,
    make_table,
    make_table_of,
)
from mmmed.reporting.score_folder import ScoreFolder
from mmmed.reporting.score_wording import (
    describe_outcomes,
    format_bounds,
    format_number,
    format_range,
)
from mmmed.reporting.wording import NONE, SHORT_OUTCOMES, format_count

# What the overview of many structures shows.
OVERVIEW = (
    'dice',
    'surface_dice',
    'hausdorff95_mm',
    'average_surface_distance_mm',
    'lesion_f1',
)
# Scores under the heading of the first one.
_PARTS = {
    'dice': 'Overlap',
    'surface_dice': 'Surfaces',
    'target_volume_ml': 'Volumes',
    'target_lesions': 'Lesions, per case',
}
# More structures than this are folded away under an overview.
MAX_OPEN = 3


def render_scores(scores: ScoreFolder) -> list[Child]:
    """Every score of every structure; an overview first where there are several."""
    many = len(scores.labels) > 1
    blocks: list[Child] = [_render_overview(scores)] if many else []
    for label in scores.labels:
        table = _render_structure(scores, label)
        if len(scores.labels) > MAX_OPEN:
            blocks.append(element('details', element('summary', label), table))
        else:
            blocks += [element('h3', label) if many else None, table]
    note = (
        f'In brackets: {100 * scores.confidence:g} % percentile bootstrap interval of '
        f'the mean, resampling {scores.unit}s. Every number stands in scores.csv and '
        'follows from cases.csv.'
    )
    return [*blocks, element('p', note, class_='soft')]


def _render_overview(scores: ScoreFolder) -> Markup:
    heads = ['structure', 'cases', *(_head(scores, name) for name in OVERVIEW)]
    rows = []
    for label in scores.labels:
        structure = scores.get_structure(label)
        entries = structure['scores']
        cells = [make_mean_cell(scores, entries[name], name) for name in OVERVIEW]
        rows.append([label, f'{entries["dice"]["n"]:,}', *cells])
    caption = 'Mean of every structure; cases: those in the mean of the Dice.'
    return make_table(heads, rows, caption=caption, class_='dense')


def _head(scores: ScoreFolder, metric: str) -> str:
    facts = scores.metrics[metric]
    return f'{facts["title"]} ({facts["unit"]})' if facts['unit'] else facts['title']


def make_mean_cell(
    scores: ScoreFolder, entry: Mapping[str, Any], metric: str
) -> Markup:
    """A mean with its interval."""
    unit = scores.metrics[metric]['unit'] if metric in scores.metrics else ''
    bounds = format_bounds(entry, metric, unit, ('low', 'high'))
    mean = format_number(entry['mean'], metric, unit)
    return join([mean, ' ', element('small', bounds) if bounds else None])


def _render_structure(scores: ScoreFolder, label: str) -> Markup:
    entries = scores.get_structure(label)['scores']
    rows = []
    for metric, entry in entries.items():
        if metric in _PARTS:
            heading = element('th', _PARTS[metric], scope='row', colspan=6)
            rows.append(element('tr', heading, class_='level'))
        unit = scores.metrics[metric]['unit']
        cells = [
            f'{entry["n"]:,}',
            make_mean_cell(scores, entry, metric),
            format_number(entry['median'], metric, unit),
            format_range(entry, metric, unit, ('q25', 'q75')),
            format_range(entry, metric, unit, ('minimum', 'maximum')),
        ]
        kind = 'main' if metric == 'dice' else None
        rows.append(make_row([_head(scores, metric), *cells], class_=kind))
    heads = ['score', 'n', 'mean', 'median', 'quartiles', 'range']
    return make_table_of(heads, rows, class_='dense')


def render_outcomes(scores: ScoreFolder, policy: EmptyPolicy) -> list[Child]:
    """How many cases were empty, in words and as a table."""
    sentences = [
        element('li', describe_outcomes(label, scores.get_structure(label), policy))
        for label in scores.labels[:MAX_OPEN]
    ]
    heads = ['structure', 'cases', *(SHORT_OUTCOMES[name] for name in OUTCOMES)]
    rows = []
    for label in scores.labels:
        structure = scores.get_structure(label)
        numbers = [structure['outcomes'][name] for name in OUTCOMES]
        rows.append([label, structure['num_cases'], *numbers])
    table = make_table(heads, rows, class_='num')
    return [element('ul', sentences), table if len(scores.labels) > 1 else None]


def render_lesions(scores: ScoreFolder) -> list[Child]:
    """All lesions of a structure together, then by their size."""
    many = len(scores.labels) > 1
    heads = [
        *(['structure'] if many else []),
        'size',
        'lesions',
        'found',
        'sensitivity',
        'mean Dice',
        'false alarms',
    ]
    rows: list[Sequence[Child]] = []
    lines = []
    for label in scores.labels:
        lesions = scores.get_structure(label)['lesions']
        pooled = lesions['pooled']
        lines.append(element('li', _describe_lesions(label, pooled)))
        for stratum in lesions['strata']:
            cells = [
                _name_stratum(stratum),
                stratum['lesions'],
                stratum['found'],
                format_number(stratum['sensitivity'], 'share'),
                format_number(stratum['mean_dice'], 'dice'),
                stratum['false_alarms'],
            ]
            rows.append([label, *cells] if many else cells)
    caption = (
        'By size (volume, or radius of the ball of that volume): lesions of the '
        'reference by theirs, false alarms by theirs, all cases together. Missed '
        'lesions have Dice 0.'
    )
    table = make_table(heads, rows, caption=caption, class_='dense')
    return [element('ul', lines), table]


def _describe_lesions(label: str, pooled: Mapping[str, Any]) -> str:
    number = pooled['target_lesions']
    false = pooled['false_positive_lesions']
    if not number and not false:
        return f'{label}: neither side holds a lesion.'
    rate = format_number(pooled['false_positives_per_scan'], 'false_positive_lesions')
    shares = ', '.join(
        f'{name} {format_number(pooled[key], "share")}'
        for name, key in (
            ('sensitivity', 'sensitivity'),
            ('precision', 'precision'),
            ('F1', 'f1'),
        )
    )
    return (
        f'{label}: {pooled["found_lesions"]:,} of {format_count(number, "lesion")} '
        f'found; {format_count(false, "false alarm")}, {rate} a case. '
        f'All lesions together: {shares}.'
    )


def _name_stratum(stratum: Mapping[str, Any]) -> str:
    """The bounds of a stratum of volume, or of radius, for people."""
    by_radius = 'low_radius_mm' in stratum
    unit, suffix = ('mm', 'radius_mm') if by_radius else ('mm³', 'mm3')
    low, high = stratum[f'low_{suffix}'], stratum[f'high_{suffix}']
    if not low and high is None:
        return 'all sizes'
    what = 'radius ' if by_radius else ''
    if not low:
        return f'{what}below {high:,g} {unit}'
    if high is None:
        return f'{what}{low:,g} {unit} and more'
    return f'{what}{low:,g} to {high:,g} {unit}'


def render_slices(scores: ScoreFolder) -> list[Child]:
    """Slices with and without the structure, apart."""
    with_it, without = [], []
    for label in scores.labels:
        slices = scores.get_structure(label)['slices']
        held, free = slices['lesion'], slices['lesion_free']
        with_it.append(
            [
                label,
                f'{held["num_slices"]:,}',
                f'{held["num_missed"]:,}',
                *(
                    make_mean_cell(scores, held['scores'][name], name)
                    for name in ('dice', 'precision', 'recall')
                ),
            ]
        )
        voxels = free['false_voxels']['mean']
        without.append(
            [
                label,
                f'{free["num_slices"]:,}',
                f'{free["num_false_alarms"]:,}',
                make_mean_cell(scores, free['false_alarm_share'], 'share'),
                NONE if voxels is None else f'{voxels:.3g}',
            ]
        )
    plane = scores.summary['options']['plane']
    return [
        make_table(
            ['structure', 'slices', 'nothing marked', 'Dice', 'precision', 'recall'],
            with_it,
            caption=f'{plane} slices whose reference holds the structure'.capitalize(),
            class_='dense',
        ),
        make_table(
            ['structure', 'slices', 'false alarms', 'share', 'false voxels a slice'],
            without,
            caption='Slices without it: anything marked is a false alarm.',
            class_='dense',
        ),
        element(
            'p', 'Every slice stands in slices.csv, every mean in scores.csv.',
            class_='soft',
        ),
    ]  # fmt: skip


def render_groups(scores: ScoreFolder) -> list[Child]:
    """Main scores by every column of the table of groups."""
    blocks: list[Child] = []
    many = len(scores.labels) > 1
    for column, values in scores.summary['groups'].items():
        heads = [
            column,
            *(['structure'] if many else []),
            'cases',
            *(_head(scores, name) for name in OVERVIEW),
        ]
        rows = []
        for value, structures in values.items():
            for label, structure in structures.items():
                entries = structure['scores']
                cells: list[Child] = [value or NONE, *([label] if many else [])]
                cells.append(f'{entries["dice"]["n"]:,}')
                rows.append(
                    cells
                    + [make_mean_cell(scores, entries[name], name) for name in OVERVIEW]
                )
        blocks.append(make_table(heads, rows, class_='dense'))
    return blocks
