"""Results of a classification and its explanations as pages that people read.

Not here: what stands in them (``classification_blocks``, ``explanation_page``).
"""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from mmmed.files import write_text_atomic
from mmmed.reporting.classification_blocks import (
    collect_classification_findings,
    render_predictions,
    render_summary,
    render_targets,
)
from mmmed.reporting.classification_folder import (
    ClassificationFolder,
    read_classification,
)
from mmmed.reporting.explanation_blocks import draw_model
from mmmed.reporting.explanation_page import (
    CASE_STYLE,
    render_case_page,
    render_figures,
)
from mmmed.reporting.frame import (
    Section,
    render_files,
    render_findings,
    render_frame,
    render_links,
    render_runs,
)
from mmmed.reporting.html import Child, Markup, element, join, make_page, make_table
from mmmed.reporting.style import STYLE
from mmmed.reporting.wording import NONE, format_count
from mmmed.structures.region_explanation import RegionExplanation

_FILES = {
    'predictions.csv': 'one row per case and target',
    'scores.csv': 'every score, of targets and classes, with its interval',
    'confusion.csv': 'confusion matrices',
    'metrics.json': 'all numbers for machines',
    'comparison.json': 'comparison with another run',
    'run.json': 'when, where and with which models the cases were classified',
}


def write_classification_report(folder: str | Path) -> Path:
    """Write ``report.html`` and a page for each explained case.

    Every page is one file that opens offline. Equal folders give equal pages, byte for
    byte.

    Args:
        folder: Of ``tools/classify.py``, ``tools/explain.py``, or both.

    Returns:
        The page of all cases.

    Raises:
        FileNotFoundError: There is nothing of ours in the folder.
        ValueError: A file is damaged; the message names it.
        OSError: A page cannot be written.
    """
    folder = Path(folder)
    content = read_classification(folder)
    try:
        links = {n: f'explanations/{quote(n)}.html' for n in content.explanations}
        page = _render_page(content, links)
        for name, case in content.explanations.items():
            text = render_case_page(case, back='../report.html')
            write_text_atomic(folder / 'explanations' / f'{name}.html', text)
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(
            f'{folder}: not as tools/classify.py and tools/explain.py write it '
            f'({type(error).__name__}: {error}); classify and explain again'
        ) from error
    write_text_atomic(folder / 'report.html', page)
    return folder / 'report.html'


def _render_page(content: ClassificationFolder, links: Mapping[str, str]) -> str:
    number = len(content.case_ids) or len(content.explanations)
    title = f'Classification of {format_count(number, "lesion")}'
    sections = _list_sections(content, links)
    header = element(
        'header',
        element('h1', title),
        element('p', _describe(content), class_='soft'),
        render_links(sections),
    )
    findings = render_findings(collect_classification_findings(content))
    body = [header, findings or '', *render_frame(sections)]
    return make_page(title, STYLE + CASE_STYLE, body)


def _list_sections(
    content: ClassificationFolder, links: Mapping[str, str]
) -> list[Section]:
    sections: list[Section] = []
    if content.targets:
        sections += [
            ('scores', 'Scores', render_summary(content)),
            ('targets', 'Each target', render_targets(content)),
        ]
    if content.explanations:
        sections.append(
            ('explained', 'Explained cases', _render_explained(content, links))
        )
        model = _render_models(content)
        if model:
            sections.append(('network', 'Inside the network', model))
    if content.rows:
        sections.append(('cases', 'All cases', render_predictions(content, links)))
    files = {n: text for n, text in _FILES.items() if (content.folder / n).is_file()}
    if content.run:
        facts = {
            k: v
            for k, v in content.run.items()
            if k == 'packages' or not isinstance(v, dict | list)
        }
        sections.append(('record', 'Run record', render_runs({'classify': facts})))
    if files:
        sections.append(('files', 'Files', render_files(files)))
    return sections


def _render_explained(
    content: ClassificationFolder, links: Mapping[str, str]
) -> list[Child]:
    rows = []
    for name, case in content.explanations.items():
        target = case.main_target
        label = case.classes[target][case.get_label(target)]
        truth = case.describe_truth(target)
        shown: Child = label
        if truth not in (None, label):
            shown = join([element('b', label), ' ', element('small', '(wrong)')])
        rows.append(
            [
                element('a', name, href=links[name]),
                target,
                truth or NONE,
                shown,
                f'{case.prob[target].max():.3f}',
                _name_most_needed(case),
                case.model,
            ]
        )
    heads = ['case', 'target', 'truth', 'predicted', 'probability', 'needs most',
             'model']  # fmt: skip
    text = (
        'Answers of one model each, as its page says. Needs most: the sequence without '
        'which the predicted class loses most of its probability.'
    )
    return [make_table(heads, rows, class_='dense'), element('p', text, class_='soft')]


def _name_most_needed(case: RegionExplanation) -> str:
    values = case.ablation[case.main_target][:, case.get_label(case.main_target)]
    index = int(values.argmin())
    change = float(values[index])
    if change > -0.005:
        return NONE
    return f'{case.sequences[index]} ({change:+.2f})'


def _render_models(content: ClassificationFolder) -> list[Child]:
    """Routing and relay, once a model."""
    first = {case.model: case for case in reversed(list(content.explanations.values()))}
    blocks: list[Child] = []
    for name, case in sorted(first.items()):
        plots = list(draw_model(case))
        if plots:
            heading: list[Markup] = [element('h3', name)] if len(first) > 1 else []
            blocks += [*heading, render_figures(plots)]
    return blocks


def _describe(content: ClassificationFolder) -> str:
    models = (content.run.get('classification') or {}).get('models') or {}
    parts = []
    patients = content.metrics.get('num_patients')
    if patients is not None:
        parts.append(format_count(patients, 'patient'))
    if models:
        parts.append(format_count(len(models), 'model'))
        rule = content.metrics.get('rule')
        if rule and len(models) > 1:
            parts.append(f'combined by {rule}')
    if content.targets:
        parts.append(format_count(len(content.targets), 'target'))
    if content.explanations:
        parts.append(f'{format_count(len(content.explanations), "case")} explained')
    return ', '.join(parts) + '.'
