"""Tables and plots of a page about a classification.

Not here: explanations of cases (``explanation_blocks``), what all pages share.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from mmmed.functional.classification_curves import compute_roc
from mmmed.reporting.classification_folder import ClassificationFolder, Row
from mmmed.reporting.figure_sections import render_plots
from mmmed.reporting.figures import Plot
from mmmed.reporting.findings import Finding
from mmmed.reporting.html import Child, element, join, make_table
from mmmed.reporting.score_wording import format_bounds, format_number
from mmmed.reporting.wording import NONE, format_count
from mmmed.visualization.classification_plots import (
    plot_confusion,
    plot_reliability,
    plot_roc,
)
from mmmed.visualization.figure import encode_figure

# In words, those of the summary first.
SCORE_WORDS = {
    'accuracy': 'accuracy',
    'balanced_accuracy': 'balanced accuracy',
    'auc_macro': 'AUC, macro',
    'auc_micro': 'AUC, micro',
    'ap_macro': 'AP, macro',
    'f1_macro': 'F1, macro',
    'kappa': "Cohen's kappa",
    'kappa_quadratic': 'quadratic kappa',
    'log_loss': 'log loss',
    'brier': 'Brier',
    'ece': 'calibration error',
}
_SUMMARY = ('accuracy', 'balanced_accuracy', 'auc_macro', 'f1_macro', 'kappa', 'ece')
_CLASS_WORDS = {
    'auc': 'AUC', 'ap': 'AP', 'sensitivity': 'sensitivity',
    'specificity': 'specificity', 'ppv': 'PPV', 'npv': 'NPV', 'f1': 'F1',
}  # fmt: skip
MAX_ROWS = 1500
_FEW = 30


def render_summary(content: ClassificationFolder) -> list[Child]:
    """One row a target: how good, and how sure that is."""
    rows = [
        [
            element('a', name, href=f'#target-{place}'),
            f'{target["n"]:,}' + _count_missing(target['n_missing']),
            *(_make_score(target, score) for score in _SUMMARY),
        ]
        for place, (name, target) in enumerate(content.targets.items())
    ]
    heads = ['target', 'cases', *(SCORE_WORDS[score] for score in _SUMMARY)]
    text = (
        'In brackets: 95 % intervals over resampled patients, with all their lesions. '
        'Every number stands in scores.csv.'
    )
    return [make_table(heads, rows, class_='dense'), element('p', text, class_='soft')]


def render_targets(content: ClassificationFolder) -> list[Child]:
    """Confusion, ROC, reliability and scores of the classes of every target."""
    blocks: list[Child] = []
    for place, (name, target) in enumerate(content.targets.items()):
        blocks += [
            element('h3', name, id=f'target-{place}'),
            element('div', render_plots(draw_target(content, name)), class_='three'),
            element(
                'details',
                element('summary', 'Scores of each class, and all of the target'),
                _render_classes(target),
                _render_scores(target),
            ),
        ]
    return blocks


def draw_target(content: ClassificationFolder, name: str) -> Iterator[Plot]:
    """Plots of one target."""
    target = content.targets[name]
    classes, cases = target['classes'], format_count(target['n'], 'case')
    title = f'Confusion, {cases}'
    figure = plot_confusion(target['confusion'], classes, title=title)
    caption = 'Numbers of cases; colour: share of the true class.'
    yield Plot(encode_figure(figure, 'svg'), f'{title} of {name}', caption)
    if content.rows:
        prob, truth = content.get_prob(name)
        curves = {}
        for k, label in enumerate(classes):
            wrong, right = compute_roc(prob[:, k], truth == k)
            area = target['class_scores'][label]['auc']['value']
            if wrong.size and area is not None:
                curves[label] = wrong, right, area
        if curves:
            title = f'ROC of each class against the rest, {cases}'
            caption = 'Classes without a case, or with all, have no curve.'
            figure = plot_roc(curves, title=title)
            yield Plot(encode_figure(figure, 'svg'), f'{title}: {name}', caption)
    title = f'Reliability, {cases}'
    caption = (
        'On the dashed line probabilities mean what they say; below it the model is '
        'too sure. Numbers: cases.'
    )
    figure = plot_reliability(target['reliability'], title=title)
    yield Plot(encode_figure(figure, 'svg'), f'{title} of {name}', caption)


def render_predictions(
    content: ClassificationFolder, links: Mapping[str, str]
) -> Child:
    """All rows of the predictions; explained cases lead to their pages."""
    shown = content.rows[:MAX_ROWS]
    rows = [[_link(row, links), *_list_cells(row)] for row in shown]
    words = f'All {len(content.rows):,} rows of predictions.csv'
    if len(shown) < len(content.rows):
        words = f'The first {len(shown):,} of {len(content.rows):,} rows'
    heads = ['case', 'patient', 'target', 'truth', 'predicted', 'probability', 'votes']
    table = make_table(heads, rows, class_='dense')
    return element('details', element('summary', words), table)


def collect_classification_findings(content: ClassificationFolder) -> list[Finding]:
    """What to know before believing the numbers."""
    findings = []
    models = (content.run.get('classification') or {}).get('models') or {}
    seen = {n: m.get('seen_in_training') or 0 for n, m in models.items()}
    worst = max(seen.values(), default=0)
    if worst:
        text = (
            f'up to {format_count(worst, "case")} took part in the training or choice '
            'of a model that answered them; scores are too good. Use --role test, or '
            'other data.'
        )
        findings.append(Finding('error', text))
    patients = content.metrics.get('num_patients')
    if patients is not None and patients < _FEW:
        text = f'{format_count(patients, "patient")} are too few for firm numbers.'
        findings.append(Finding('warning', text))
    absent = [
        f'{label} ({name})'
        for name, target in content.targets.items()
        for label, count in zip(target['classes'], target['counts'], strict=True)
        if not count
    ]
    if absent:
        words = ', '.join(absent[:6]) + (' and others' if len(absent) > 6 else '')
        text = f'no case has the class {words}; means leave it out.'
        findings.append(Finding('warning', text))
    if not content.targets:
        text = 'no label is known, so there are no scores.'
        findings.append(Finding('note', text))
    return findings


def _make_score(target: Mapping[str, Any], score: str) -> Child:
    entry = target['scores'].get(score) or {'value': None}
    bounds = format_bounds(entry, score, '', ('low', 'high'))
    number = format_number(entry['value'], score)
    return join([number, ' ', element('small', bounds)]) if bounds else number


def _render_classes(target: Mapping[str, Any]) -> Child:
    rows = []
    for label, count in zip(target['classes'], target['counts'], strict=True):
        scores = target['class_scores'][label]
        cells = [_make_score({'scores': scores}, score) for score in _CLASS_WORDS]
        rows.append([label, f'{count:,}', *cells])
    return make_table(['class', 'cases', *_CLASS_WORDS.values()], rows, class_='dense')


def _render_scores(target: Mapping[str, Any]) -> Child:
    rows = [
        [SCORE_WORDS.get(score, score.replace('_', ' ')), _make_score(target, score)]
        for score in target['scores']
    ]
    return make_table(['score', 'value'], rows, class_='dense')


def _count_missing(number: int) -> str:
    return f' ({number:,} unlabelled)' if number else ''


def _link(row: Row, links: Mapping[str, str]) -> Child:
    name = row['case_id']
    return element('a', name, href=links[name]) if name in links else name


def _list_cells(row: Row) -> list[Child]:
    right = {'1': 'right', '0': 'wrong'}.get(row.get('correct', ''), '')
    pred: Child = row['pred']
    if right == 'wrong':
        pred = join([element('b', row['pred']), ' ', element('small', '(wrong)')])
    share = row.get('vote_share', '')
    return [
        row['patient_id'],
        row['target'],
        row['truth'] or NONE,
        pred,
        _round(row['confidence']),
        _round(share) if share else NONE,
    ]


def _round(text: str) -> str:
    try:
        return f'{float(text):.3f}'
    except ValueError:
        return text
