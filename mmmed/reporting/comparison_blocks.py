"""Section of a page about scores that sets two predictions against each other.

Not here: the test and its interval (``mmmed.functional.paired``), plots.
"""

from pathlib import PurePosixPath

from mmmed.reporting.html import Child, element, join, make_table
from mmmed.reporting.score_folder import ScoreFolder
from mmmed.reporting.score_plots import MAX_LABELS, choose_scores
from mmmed.reporting.score_wording import (
    format_bounds,
    format_number,
    format_p,
    judge_difference,
)
from mmmed.reporting.wording import format_count


def name_sides(scores: ScoreFolder) -> tuple[str, str]:
    """What the two predictions are called: their folders, A and B if they agree."""
    inputs = scores.summary['inputs']
    first, second = (
        PurePosixPath(str(inputs[name])).name or side
        for name, side in (('pred', 'A'), ('compare', 'B'))
    )
    return (first, second) if first != second else (f'A: {first}', f'B: {second}')


def render_comparison(scores: ScoreFolder) -> list[Child]:
    """The verdicts in words, then every number."""
    names = name_sides(scores)
    structures = scores.summary['comparison']['structures']
    verdicts = [
        element('li', _describe(scores, label, metric, names))
        for label in scores.labels[:MAX_LABELS]
        for metric in choose_scores(scores)
    ]
    many = len(scores.labels) > 1
    heads = [
        'score',
        *(['structure'] if many else []),
        'n',
        names[0],
        names[1],
        'difference',
        'Wilcoxon',
        f'{names[0]} better / equal / worse',
    ]
    rows = []
    num_tests = 0
    for label in scores.labels:
        for metric, entry in structures[label].items():
            num_tests += entry['p_value'] is not None
            facts = scores.metrics[metric]
            title, unit = facts['title'], facts['unit']
            bounds = format_bounds(entry, metric, unit, ('low', 'high'))
            means = [
                format_number(entry[key], metric, unit) for key in ('mean_a', 'mean_b')
            ]
            difference = format_number(entry['mean_difference'], metric, unit)
            rows.append(
                [
                    f'{title} ({unit})' if unit else title,
                    *([label] if many else []),
                    entry['n'],
                    *means,
                    join([difference, ' ', element('small', bounds)]),
                    format_p(entry['p_value']),
                    f'{entry["wins"]} / {entry["ties"]} / {entry["losses"]}',
                ]
            )
    note = (
        f'Difference: {names[0]} minus {names[1]}, mean over cases in which both are '
        f'defined, with its {100 * scores.confidence:g} % bootstrap interval. Wilcoxon '
        'signed-rank test, two-sided, '
        f'{format_count(num_tests, "test")} and no correction for their number: one in '
        'twenty is below 0.05 where there is no difference at all. Every pair stands '
        'in comparison.csv, every number here in comparison_scores.csv.'
    )
    table = make_table(heads, rows, class_='dense')
    if many:
        table = element('details', element('summary', 'All scores'), table)
    return [element('ul', verdicts), table, element('p', note, class_='soft')]


def _describe(
    scores: ScoreFolder, label: str, metric: str, names: tuple[str, str]
) -> list[Child]:
    entry = scores.summary['comparison']['structures'][label][metric]
    facts = scores.metrics[metric]
    verdict = judge_difference(entry, facts['best'], names, scores.unit)
    title = facts['title']
    where = f'{title} of {label}: ' if len(scores.labels) > 1 else f'{title}: '
    numbers = ''
    if entry['n_nonzero']:
        unit = f' {facts["unit"]}' if facts['unit'] else ''
        bounds = format_bounds(entry, metric, facts['unit'], ('low', 'high'))
        difference = entry['mean_difference']
        shown = format_number(abs(difference), metric, facts['unit'])
        sign = '+' if difference > 0 else '-'
        # One unit has no spread, and nothing to test.
        known = f' {bounds}, {format_p(entry["p_value"])}' if bounds else ''
        numbers = (
            f' Mean difference {sign}{shown}{unit}{known}, '
            f'{format_count(entry["n"], "case")}; {names[0]} better in {entry["wins"]},'
            f' worse in {entry["losses"]}, equal in {entry["ties"]}.'
        )
    return [where, element('b', verdict), '.', numbers]
