"""The HTML page about scores of a folder: what comes first, and in which order.

Not here: what all pages share (``frame``), the tables (``score_blocks``,
``case_blocks``, ``comparison_blocks``), drawing (``score_plots``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from mmmed.functional.overlap import EmptyPolicy
from mmmed.reporting.case_blocks import render_cases
from mmmed.reporting.comparison_blocks import name_sides, render_comparison
from mmmed.reporting.figure_sections import render_plots
from mmmed.reporting.figures import Plot
from mmmed.reporting.findings import Finding
from mmmed.reporting.frame import (
    Section,
    render_files,
    render_findings,
    render_frame,
    render_links,
    render_runs,
)
from mmmed.reporting.html import Child, Markup, element, join, make_page
from mmmed.reporting.score_blocks import (
    render_groups,
    render_lesions,
    render_outcomes,
    render_scores,
    render_slices,
)
from mmmed.reporting.score_folder import ScoreFolder
from mmmed.reporting.score_plots import CLOUD_KEY
from mmmed.reporting.score_wording import describe_mean, format_number
from mmmed.reporting.style import STYLE
from mmmed.reporting.wording import describe_policy, format_count, format_score

# More structures than this stand in the overview only.
MAX_CARDS = 6


@dataclass(frozen=True)
class ScoreDrawings:
    """Plots of a page about scores.

    Args:
        distributions: Of the main scores.
        volumes: Reference against prediction.
        lesions: Size against Dice; none without a lesion.
        comparison: Of two predictions; none if there is one.
    """

    distributions: Sequence[Plot]
    volumes: Sequence[Plot]
    lesions: Sequence[Plot]
    comparison: Sequence[Plot]


def render_score_page(
    scores: ScoreFolder,
    findings: Sequence[Finding],
    drawings: ScoreDrawings,
    files: Mapping[str, str],
) -> str:
    """The whole page.

    Args:
        scores: Numbers of the evaluation.
        findings: What to know before believing them.
        drawings: Plots.
        files: Link to description of every file beside the page.
    """
    policy = EmptyPolicy(**scores.summary['options']['empty_policy'])
    sections = _list_sections(scores, policy, drawings, files)
    number = scores.summary['num_cases']
    title = f'Segmentation scores of {format_count(number, "case")}'
    header = element(
        'header',
        element('h1', title),
        element('p', _describe_inputs(scores), class_='soft'),
        render_links(sections),
    )
    cards = [_render_card(scores, label) for label in scores.labels[:MAX_CARDS]]
    body = [
        header,
        render_findings(findings),
        element('div', cards, class_='cards')
        if len(scores.labels) <= MAX_CARDS
        else '',
        *render_frame(sections),
    ]
    return make_page(title, STYLE, body)


def _list_sections(
    scores: ScoreFolder,
    policy: EmptyPolicy,
    drawings: ScoreDrawings,
    files: Mapping[str, str],
) -> list[Section]:
    sections: list[Section] = []
    key = element('p', CLOUD_KEY, class_='soft')
    if scores.summary['comparison']:
        blocks = render_comparison(scores)
        # Verdicts, plots, then every number.
        plots = [key, render_plots(drawings.comparison)]
        sections.append(('comparison', 'Comparison', [blocks[0], *plots, *blocks[1:]]))
    clouds = [key, render_plots(drawings.distributions)]
    sections += [
        ('scores', 'Scores', render_scores(scores)),
        ('empty', 'Found, missed, empty', render_outcomes(scores, policy)),
        ('distributions', 'Distributions', clouds),
        ('volumes', 'Volumes', render_plots(drawings.volumes)),
    ]
    lesions = render_lesions(scores)
    if drawings.lesions:
        lesions.append(render_plots(drawings.lesions))
    sections.append(('lesions', 'Lesions', lesions))
    if scores.summary['options']['plane']:
        sections.append(('slices', 'Slices', render_slices(scores)))
    if scores.summary['groups']:
        sections.append(('groups', 'Groups', render_groups(scores)))
    return [
        *sections,
        ('cases', 'Worst cases', render_cases(scores)),
        ('definitions', 'What the numbers mean', _render_definitions(scores, policy)),
        ('record', 'Run record', render_runs({'evaluation': _get_record(scores)})),
        ('files', 'Files', render_files(files)),
    ]


def _describe_inputs(scores: ScoreFolder) -> list[Child]:
    inputs = scores.summary['inputs']
    pred, target = (
        element('code', PurePosixPath(str(inputs[name])).name or name)
        for name in ('pred', 'target')
    )
    words: list[Child] = ['Predictions ', pred, ' against references ', target]
    if scores.summary['comparison']:
        words += [', compared with ', element('code', name_sides(scores)[1])]
    number = scores.summary['num_patients']
    if number is not None:
        words.append(f', {format_count(number, "patient")}')
    return [*words, '.']


def _render_card(scores: ScoreFolder, label: str) -> Markup:
    """The one number, how sure it is, and what happened to the cases."""
    structure = scores.get_structure(label)
    dice, entries = structure['scores']['dice'], structure['scores']
    outcomes = structure['outcomes']
    present = outcomes['hit'] + outcomes['disjoint'] + outcomes['missed']
    absent = outcomes['false_alarm'] + outcomes['both_empty']
    lines = [
        f'{outcomes["hit"]:,} of {format_count(present, "case")} with it found',
        f'{outcomes["false_alarm"]:,} of {format_count(absent, "case")} without it '
        'raised a false alarm'
        if absent
        else 'no case is without it, so false alarms could not be seen',
    ]
    for name in ('surface_dice', 'hausdorff95_mm'):
        facts = scores.metrics[name]
        number = format_number(entries[name]['mean'], name, facts['unit'])
        lines.append(f'{facts["title"]} {number} {facts["unit"]}'.rstrip())
    interval = describe_mean(dice, scores.unit, scores.confidence)
    return element(
        'article',
        element('h3', label),
        element('p', format_score(dice['mean']), class_='big'),
        element(
            'p', 'Dice, mean per case', element('br'), element('small', interval)
        ),
        element('ul', [element('li', line) for line in lines]),
        class_='card',
    )  # fmt: skip


def _render_definitions(scores: ScoreFolder, policy: EmptyPolicy) -> list[Child]:
    options = scores.summary['options']
    bootstrap = scores.summary['bootstrap']
    rules = scores.summary['definitions']
    matching = options['criterion']
    chosen = {
        'Surface tolerance': f'{options["tolerance_mm"]:g} mm',
        'Lesions': f'connected components of {options["connectivity"]} neighbours',
        'Matching of lesions': f'{matching}: {rules.get(matching, "")}'
        + ('' if matching == 'overlap' else f' (min_iou {options["min_iou"]:g})'),
        'Empty masks': describe_policy(policy),
        'Ignored label': options['ignore_label'],
        'Labels': '; '.join(
            f'{name} = {", ".join(map(str, values))}'
            for name, values in (options['labels'] or {}).items()
        )
        or 'every value that occurs',
        'Intervals': f'{bootstrap["num_resamples"]} resamples of '
        f'{bootstrap["unit"]}s, seed {bootstrap["seed"]}',
    }
    facts = {name: value for name, value in chosen.items() if value is not None}
    terms = {
        f'{one["title"]} ({one["unit"]})' if one['unit'] else one['title']: one['text']
        for one in scores.metrics.values()
    }
    others = {
        name.replace('_', ' ').capitalize(): text
        for name, text in rules.items()
        if name not in ('overlap', 'greedy', 'optimal')
    }
    return [
        element('h3', 'Chosen for this evaluation'),
        _make_list(facts),
        element('h3', 'Scores'),
        _make_list(terms),
        element('h3', 'Rules'),
        _make_list(others),
    ]


def _make_list(terms: Mapping[str, str]) -> Markup:
    pairs = [join([element('dt', name), element('dd', t)]) for name, t in terms.items()]
    return element('dl', pairs)


def _get_record(scores: ScoreFolder) -> dict[str, object]:
    """Facts of the run; what stands in the page already is left out."""
    known = {
        'mmmed': scores.summary.get('mmmed'),
        'settings_sha256': scores.summary.get('settings_sha256'),
    }
    packages = {
        **(scores.summary.get('packages') or {}),
        **(scores.run.get('packages') or {}),
    }
    facts = {
        name: value for name, value in scores.run.items() if not isinstance(value, dict)
    }
    return {**known, **facts, 'packages': packages}
