"""Sections of a page that are pictures.

Not here: drawing them (``figures``, ``case_figures``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mmmed.reporting.case_figures import CaseFigure
from mmmed.reporting.content import Content
from mmmed.reporting.figures import Plot
from mmmed.reporting.html import Child, Markup, element, embed_image, join
from mmmed.reporting.wording import SHORT_OUTCOMES, format_count, format_score

GROUP_WORDS = {
    'worst': 'lowest Dice',
    'false_alarms': 'largest false alarms',
    'best': 'highest Dice',
}


@dataclass(frozen=True)
class Drawings:
    """Everything drawn for a page.

    Args:
        distributions: Plots by structure.
        curves: Plots of the training.
        galleries: Overlays by name of the evaluation, then by group of cases.
    """

    distributions: Mapping[str, Sequence[Plot]] = field(default_factory=dict)
    curves: Sequence[Plot] = ()
    galleries: Mapping[str, Mapping[str, Sequence[CaseFigure]]] = field(
        default_factory=dict
    )


def render_distributions(drawings: Drawings) -> list[Child]:
    """Plots of every structure."""
    many = len(drawings.distributions) > 1
    return [
        join([element('h3', label) if many else None, render_plots(plots)])
        for label, plots in drawings.distributions.items()
    ]


def render_curves(drawings: Drawings) -> list[Child]:
    """Plots of the training, or a word about their absence."""
    if not drawings.curves:
        return [element('p', 'There is no training log in this folder.')]
    return [render_plots(drawings.curves)]


def render_plots(plots: Iterable[Plot]) -> Markup:
    """Plots side by side where there is room."""
    figures = [
        element(
            'figure',
            embed_image(plot.image, 'svg', plot.alt),
            element('figcaption', plot.caption),
        )
        for plot in plots
    ]
    return element('div', figures, class_='plots')


def render_galleries(content: Content, drawings: Drawings) -> list[Child]:
    """Overlays of every evaluation: worst, false alarms, best."""
    blocks: list[Child] = []
    for evaluation in content.evaluations:
        groups = drawings.galleries.get(evaluation.name, {})
        for group, figures in groups.items():
            if figures:
                words = f'{GROUP_WORDS[group]}, {format_count(len(figures), "image")}'
                title = f'{content.describe(evaluation)}: {words}'
                cards = [_render_case(figure, content) for figure in figures]
                blocks += [element('h3', title), element('div', cards, class_='cases')]
    if not blocks:
        return [element('p', 'No image holds anything to show.')]
    key = (
        'Blue is the truth, orange the prediction; in the last panel blue was missed, '
        'orange invented, green is common to both. Images are cut to what they show; '
        'the dashed frame is what the last panel enlarges. Unless a panel is marked R '
        'and L, the data do not say which side of the patient is which.'
    )
    return [element('p', key, class_='soft'), *blocks]


def _render_case(figure: CaseFigure, content: Content) -> Markup:
    row = figure.row
    facts = [f'patient {row.patient_id}']
    if row.slice_index is not None:
        facts.append(f'slice {row.slice_index}')
    for verdict in figure.verdicts:
        tp, fp, fn, _ = verdict.row.counts
        name = f'{verdict.row.label}: ' if len(content.labels) > 1 else ''
        facts.append(
            f'{name}{SHORT_OUTCOMES[verdict.outcome]}, Dice '
            f'{format_score(verdict.dice)}, {tp + fn:,} true and {tp + fp:,} '
            'predicted pixels'
        )
    text = ' · '.join(facts)
    if figure.image is None:
        words = f'Cannot be shown: {figure.problem}'
        image = element('div', words, class_='absent')
    else:
        image = embed_image(figure.image, 'jpg', f'Case {row.case_id}, {text}')
    caption = element('figcaption', element('b', row.case_id), f' · {text}')
    return element('figure', image, caption)
