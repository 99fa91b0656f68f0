"""The HTML page of a report: what comes first, and in which order.

Not here: escaping and tags (``html``), the look (``style``), what all pages share
(``frame``), any computation; the longer sections have modules of their own.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mmmed.functional.aggregation import DEFINITIONS
from mmmed.reporting.content import Content
from mmmed.reporting.evaluation_folder import Evaluation
from mmmed.reporting.figure_sections import (
    Drawings,
    render_curves,
    render_distributions,
    render_galleries,
)
from mmmed.reporting.frame import (
    render_files,
    render_findings,
    render_frame,
    render_links,
)
from mmmed.reporting.html import Child, Markup, element, join, make_page
from mmmed.reporting.score_sections import (
    render_outcomes,
    render_patients,
    render_record,
    render_scores,
)
from mmmed.reporting.style import STYLE
from mmmed.reporting.wording import (
    LEVEL_WORDS,
    describe_interval,
    describe_policy,
    format_count,
    format_score,
)


def render_page(
    content: Content,
    drawings: Drawings,
    patients: Mapping[str, Sequence[Mapping[str, Any]]],
    files: Mapping[str, str],
) -> str:
    """The whole page.

    Args:
        content: Numbers and findings.
        drawings: Plots and overlays.
        patients: Rows of ``patients.csv`` by name of the evaluation.
        files: Link to description of every file beside the page.
    """
    sections = [
        ('scores', 'Scores', render_scores(content)),
        ('found', 'Found or missed', render_outcomes(content)),
        ('definitions', 'What the numbers mean', _render_definitions(content)),
        ('distributions', 'Distributions', render_distributions(drawings)),
        ('cases', 'Worst and best cases', render_galleries(content, drawings)),
        ('patients', 'Patients', render_patients(content, patients)),
        ('training', 'Training', render_curves(drawings)),
        ('record', 'Run record', render_record(content)),
        ('files', 'Files', render_files(files)),
    ]
    what = ' and '.join(content.labels)
    title = f'{what[:1].upper()}{what[1:]} segmentation'
    origin = ['Data set ', element('b', content.dataset), ', run ']
    header = element(
        'header',
        element('h1', title),
        element('p', *origin, element('code', content.name), class_='soft'),
        render_links(sections),
    )
    body = [
        header,
        render_findings(content.findings),
        element('div', _render_cards(content), class_='cards'),
        *render_frame(sections),
    ]
    return make_page(f'{title}: {content.name}', STYLE, body)


def _render_cards(content: Content) -> list[Markup]:
    return [
        _render_card(content, evaluation, label)
        for evaluation in content.evaluations
        for label in evaluation.labels
    ]


def _render_card(content: Content, evaluation: Evaluation, label: str) -> Markup:
    """The one number, how sure it is, and what happened to the images."""
    exposure = content.exposures[evaluation.name]
    levels = content.levels[evaluation.name][label]
    dice = levels['scores']['patient']['dice']
    name = evaluation.name + (f' · {label}' if len(content.labels) > 1 else '')
    lines = _describe_images(levels['outcomes']['image'], label)
    if exposure.kind == 'seen':
        lines.append('these patients were trained on: this is memory, not skill')
    return element(
        'article',
        element('h3', name, ' ', element('span', exposure.label, class_='tag')),
        element('p', format_score(dice['value']), class_='big'),
        element(
            'p',
            'Dice, mean per patient',
            element('br'),
            element('small', describe_interval(dice, evaluation.confidence)),
        ),
        element('ul', [element('li', line) for line in lines]),
        class_=f'card {exposure.kind}',
    )


def _describe_images(outcomes: Mapping[str, int], label: str) -> list[str]:
    noticed = outcomes['hit'] + outcomes['disjoint']
    present = noticed + outcomes['missed']
    absent = outcomes['false_alarm'] + outcomes['both_empty']
    lines = []
    if present:
        lines.append(
            f'{outcomes["hit"]} of {format_count(present, "image")} with {label} found'
        )
    if outcomes['disjoint']:
        lines.append(f'{outcomes["disjoint"]} marked only in the wrong place')
    lines.append(
        f'{outcomes["false_alarm"]} of {format_count(absent, "image")} without it '
        'raised a false alarm'
        if absent
        else f'no image is without {label}, so false alarms could not be seen'
    )
    return lines


def _render_definitions(content: Content) -> list[Child]:
    terms = {
        'Dice': DEFINITIONS['dice'],
        'IoU': DEFINITIONS['iou'],
        'Precision': DEFINITIONS['precision'],
        'Recall': DEFINITIONS['recall'],
        **{words: DEFINITIONS[level] for level, words in LEVEL_WORDS.items()},
        'Sensitivity, specificity': DEFINITIONS['detection'],
    }
    body = [
        join([element('dt', term), element('dd', text)]) for term, text in terms.items()
    ]
    policies = dict.fromkeys(describe_policy(e.policy) for e in content.evaluations)
    return [
        element('dl', body),
        *(element('p', element('b', 'Empty masks. '), text) for text in policies),
    ]
