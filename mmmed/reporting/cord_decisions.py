"""Decisions of the stages about a series, as bars against thresholds.

Not here: reading them (``cord_folder``).
"""

from collections.abc import Sequence

from mmmed.reporting.cord_folder import ACCEPTED, CordStage
from mmmed.reporting.html import Child, Markup, element, make_row, make_table_of
from mmmed.reporting.wording import NONE, format_count

# Classes of a stage with a bar of their own; the rest is in the log.
_MAX_BARS = 4


def render_status(status: str) -> Markup:
    """The outcome as a small label."""
    look = 'pass' if status == ACCEPTED else 'stop'
    return element('span', status, class_=f'tag {look}')


def render_stages(stages: Sequence[CordStage]) -> Markup:
    """Every decision: probabilities as bars, the threshold as a line across them."""
    rows = [
        make_row(
            [
                [stage.name.replace('_', ' ') or NONE, _render_effort(stage)],
                _render_decision(stage),
                [_render_bars(stage), _render_reason(stage)],
            ]
        )
        for stage in stages
    ]
    heads = ['stage', 'decision', 'mean probability and threshold']
    return make_table_of(heads, rows, class_='stages')


def _render_effort(stage: CordStage) -> Child:
    parts = []
    if stage.n_slices is not None:
        parts.append(format_count(stage.n_slices, 'slice'))
    if stage.seconds is not None:
        parts.append(f'{stage.seconds:.2f} s')
    return element('small', ', '.join(parts)) if parts else None


def _render_decision(stage: CordStage) -> list[Child]:
    word = 'accepted' if stage.accepted else 'rejected'
    if not stage.is_sure and not stage.accepted:
        word = 'not sure'
    if stage.accepted and not stage.model:  # no network said so
        return [element('span', 'left out', class_='tag stop')]
    tag = element('span', word, class_=f'tag {"pass" if stage.accepted else "stop"}')
    return [tag, ' ', stage.label]


def _render_reason(stage: CordStage) -> Child:
    parts = [stage.reason]
    if stage.model:
        parts.append(f'network: {stage.model}')
    text = '; '.join(filter(None, parts))
    return element('small', text) if text else None


def _render_bars(stage: CordStage) -> Child:
    """What is compared with the threshold first, then the most probable classes."""
    cells: list[Child] = []
    prob = stage.accepted_prob
    # Means over slices are not what a threshold of slices is compared with.
    threshold = None if stage.is_by_slice else stage.threshold
    several = prob is not None and len(stage.accepts) > 1
    if several:
        cells += _make_bar('accepted classes together', prob, threshold, True)
    order = sorted(stage.probs.items(), key=lambda item: -item[1])
    for name, value in order[:_MAX_BARS]:
        is_main = not several and (name in stage.accepts or name == stage.label)
        cells += _make_bar(name, value, threshold if is_main else None, is_main)
    left = len(order) - _MAX_BARS
    if left > 0:
        rest = sum(value for _, value in order[_MAX_BARS:])
        cells += _make_bar(f'{left} other classes', rest, None, False)
    return element('div', cells, class_='bars') if cells else None


def _make_bar(
    name: str, value: float | None, threshold: float | None, is_main: bool
) -> list[Child]:
    share = min(max(value or 0.0, 0.0), 1.0)
    look = 'main' if is_main else None
    if is_main and threshold is not None and share < threshold:
        look = 'less'
    parts: list[Child] = [element('i', class_=look, style=f'width:{100 * share:.1f}%')]
    title = f'{share:.3f}'
    if threshold is not None:
        place = min(max(threshold, 0.0), 1.0)
        parts.append(element('u', style=f'left:calc({100 * place:.1f}% - 1px)'))
        title += f', threshold {threshold:g}'
    number: Child = f'{share:.2f}'
    if is_main:
        number = element('b', number)
    return [
        element('span', name),
        element('span', parts, class_='rail', title=title),
        element('span', number, class_='end'),
    ]
