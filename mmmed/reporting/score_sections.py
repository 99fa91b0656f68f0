"""Sections of a page that are tables of numbers.

Not here: the numbers (``tables``), the page around them (``page``).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mmmed.functional.overlap import OUTCOMES, SCORE_NAMES
from mmmed.reporting.content import Content
from mmmed.reporting.evaluation_folder import Evaluation
from mmmed.reporting.frame import render_runs
from mmmed.reporting.html import Child, Markup, element, join, make_table
from mmmed.reporting.wording import (
    LEVEL_WORDS,
    OUTCOME_WORDS,
    SHORT_OUTCOMES,
    format_count,
    format_interval,
    format_score,
)


def render_scores(content: Content) -> list[Child]:
    """Every score at every level, all evaluations side by side."""
    blocks: list[Child] = []
    for label in content.labels:
        shown = [e for e in content.evaluations if label in e.labels]
        rows: list[Markup] = []
        for level, words in LEVEL_WORDS.items():
            name = f'Per image with {label}' if level == 'positive_image' else words
            entries = [content.levels[e.name][label]['scores'][level] for e in shown]
            sizes = [_describe_size(level, entry['dice']) for entry in entries]
            rows.append(_make_row('level', name, sizes))
            for score in SCORE_NAMES:
                kind = 'main' if (level, score) == ('patient', 'dice') else None
                cells = [_make_cell(entry[score]) for entry in entries]
                name = 'IoU' if score == 'iou' else score.capitalize()
                rows.append(_make_row(kind, name, cells))
        blocks.append(_make_block(content, label, 'score', shown, rows))
    shares = sorted({e.confidence for e in content.evaluations})
    note = (
        f'In brackets: {" and ".join(f"{100 * s:g} %" for s in shares)} percentile '
        'bootstrap interval, resampling patients; none where all resamples agree. '
        'Every number stands in scores.csv and follows from cases.csv.'
    )
    return [*blocks, element('p', note, class_='soft'), _render_host(content)]


def _describe_size(level: str, entry: Mapping[str, Any]) -> Markup:
    """How many patients or images are behind a mean."""
    if level == 'pooled':
        return element('small', format_count(entry['n_patients'], 'patient'))
    unit = 'patient' if level == 'patient' else 'image'
    text = format_count(entry['n'], unit)
    if entry['n_undefined']:
        text += f', {entry["n_undefined"]} empty left out'
    return element('small', text)


def _render_host(content: Content) -> Markup | None:
    """The pooled means of the host, for comparison with other work."""
    parts = []
    for evaluation in content.evaluations:
        host = evaluation.recorded.get('host') or {}
        if isinstance(host.get('mIoU'), float) and isinstance(host.get('mDice'), float):
            numbers = f'mIoU {host["mIoU"]:.2f}, mDice {host["mDice"]:.2f}'
            parts.append(f'{evaluation.name}: {numbers}')
    if not parts:
        return None
    text = (
        'Pooled means as mmsegmentation defines them, in percent, background '
        f'included: {"; ".join(parts)}. Marking nothing at all already gives about 50 '
        'where the structure is rare.'
    )
    return element('p', text, class_='soft')


def render_outcomes(content: Content) -> list[Child]:
    """What happened to images and patients, with and without the structure."""
    blocks: list[Child] = []
    for label in content.labels:
        shown = [e for e in content.evaluations if label in e.labels]
        data = [content.levels[e.name][label] for e in shown]
        rows: list[Markup] = []
        for level, unit in (('image', 'images'), ('patient', 'patients')):
            totals = [sum(d['outcomes'][level].values()) for d in data]
            rows.append(_make_row('level', unit.capitalize(), totals))
            for outcome in OUTCOMES:
                cells = [d['outcomes'][level][outcome] for d in data]
                rows.append(_make_row(None, OUTCOME_WORDS[outcome], cells))
            for name, of in (('sensitivity', 'with'), ('specificity', 'without')):
                words = f'{name.capitalize()} for {unit} {of} {label}'
                shares = [_make_cell(d['detection'][level][name]) for d in data]
                rows.append(_make_row(None, words, shares))
        blocks.append(_make_block(content, label, 'outcome', shown, rows))
    return blocks


def render_patients(
    content: Content, patients: Mapping[str, Sequence[Mapping[str, Any]]]
) -> list[Child]:
    """One row per patient and structure."""
    many = len(content.labels) > 1
    header = [
        'patient',
        *(['structure'] if many else []),
        *('IoU' if name == 'iou' else name.capitalize() for name in SCORE_NAMES),
        'images with it',
        'true pixels',
        'predicted',
        'outcome',
    ]
    return [
        make_table(
            header,
            [
                [
                    row['patient_id'],
                    *([row['label']] if many else []),
                    *(format_score(row[name]) for name in SCORE_NAMES),
                    f'{row["num_positive_images"]} of {row["num_images"]}',
                    f'{row["target_pixels"]:,}',
                    f'{row["pred_pixels"]:,}',
                    SHORT_OUTCOMES[row['outcome']],
                ]
                for row in patients[evaluation.name]
            ],
            caption=content.describe(evaluation),
            class_='dense',
        )
        for evaluation in content.evaluations
    ]


def render_record(content: Content) -> list[Child]:
    """Versions, hashes, seeds, hardware and times of every run."""
    runs = {e.name: e.run for e in content.evaluations}
    return render_runs({'training': content.training_run, **runs})


def _make_block(
    content: Content,
    label: str,
    corner: str,
    shown: Iterable[Evaluation],
    rows: Iterable[Markup],
) -> Markup:
    """A table with one column per evaluation, under its structure's name."""
    heads: list[Child] = [element('th', corner, scope='col')]
    for evaluation in shown:
        exposure = content.exposures[evaluation.name]
        tag = element('span', exposure.label, class_=f'tag {exposure.kind}')
        heads.append(element('th', evaluation.name, element('br'), tag, scope='col'))
    table = element(
        'table',
        element('thead', element('tr', heads)),
        element('tbody', rows),
        class_='side',
    )
    title = element('h3', label) if len(content.labels) > 1 else None
    return join([title, element('div', table, class_='scroll')])


def _make_row(kind: str | None, name: str, cells: Iterable[Child]) -> Markup:
    body = [element('th', name, scope='row'), *(element('td', cell) for cell in cells)]
    return element('tr', body, class_=kind)


def _make_cell(entry: Mapping[str, Any]) -> Markup:
    interval = format_interval(entry)
    value = format_score(entry['value'])
    return join([value, ' ', element('small', interval) if interval else None])
