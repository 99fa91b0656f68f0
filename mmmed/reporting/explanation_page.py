"""The page about one explained case: what comes first, and in which words.

Not here: pictures and numbers (``explanation_blocks``).
"""

from collections.abc import Iterable

from mmmed.reporting.explanation_blocks import (
    describe_absences,
    draw_ablation,
    draw_attention,
    draw_interventions,
    draw_model,
    draw_montage,
    draw_sequence_maps,
    draw_target_maps,
)
from mmmed.reporting.figures import Plot
from mmmed.reporting.findings import Finding
from mmmed.reporting.frame import (
    Section,
    render_findings,
    render_frame,
    render_links,
)
from mmmed.reporting.html import (
    Child,
    Markup,
    element,
    embed_image,
    join,
    make_page,
    make_table,
)
from mmmed.reporting.style import STYLE
from mmmed.reporting.wording import NONE
from mmmed.structures.region_explanation import RegionExplanation

# Maps of sequences are wide; bars tell probabilities at a glance.
CASE_STYLE = """
.wide figure { max-width: none; }
.maps { display: grid; gap: 1.2rem 1.6rem; margin: .8rem 0 1.4rem;
  grid-template-columns: repeat(auto-fill, minmax(min(27rem, 100%), 1fr)); }
.bar { display: inline-block; height: .7rem; border-radius: .15rem; min-width: 1px;
  background: var(--blue); vertical-align: baseline; margin-right: .4rem; }
.bars td:last-child { width: 60%; min-width: 9rem; }
.three .plots {
  grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr)); }
.plots figure img, .wide figure img { width: auto; max-width: 100%; }
"""


def render_case_page(case: RegionExplanation, *, back: str) -> str:
    """The whole page.

    Args:
        case: The case.
        back: Link to the page of all cases.
    """
    target = case.main_target
    title = f'Why {case.case_id} is called {_name(case, target)}'
    sections = _list_sections(case)
    header = element(
        'header',
        element('p', element('a', 'All cases', href=back), class_='soft'),
        element('h1', title),
        element('p', _describe_case(case), class_='soft'),
        render_links(sections),
    )
    findings = render_findings(_collect_findings(case))
    body = [header, findings or '', *render_frame(sections)]
    return make_page(title, STYLE + CASE_STYLE, body)


def render_figures(plots: Iterable[Plot], *, class_: str = 'plots') -> Markup:
    """Plots with captions; SVG and JPEG are told apart by their first byte."""
    figures = [
        element(
            'figure',
            embed_image(plot.image, _find_kind(plot.image), plot.alt),
            element('figcaption', plot.caption),
        )
        for plot in plots
    ]
    return element('div', figures, class_=class_)


def _list_sections(case: RegionExplanation) -> list[Section]:
    sections: list[Section] = [
        ('answers', 'What it says', _render_answers(case)),
        ('images', 'The images', render_figures([draw_montage(case)], class_='wide')),
    ]
    looked = _render_maps(case)
    if looked:
        sections.append(('maps', 'Where it looked', looked))
    branches = draw_target_maps(case) if case.routing else None
    if branches:
        sections.append(
            ('branches', 'Each question', render_figures([branches], class_='wide'))
        )
    sections.append(
        (
            'sequences',
            'What it needs',
            render_figures([draw_ablation(case)], class_='wide'),
        )
    )
    what_if = _render_interventions(case)
    if what_if:
        sections.append(('signs', 'What if a sign were absent', what_if))
    attention = draw_attention(case)
    model = [*([attention] if attention else []), *draw_model(case)]
    if model:
        sections.append(('network', 'Inside the network', render_figures(model)))
    return [*sections, ('reading', 'How to read this', _render_notes(case))]


def _render_answers(case: RegionExplanation) -> list[Child]:
    target = case.main_target
    order = case.prob[target].argsort()[::-1].tolist()
    truth = case.describe_truth(target)
    rows = []
    for k in order:
        label, prob = case.classes[target][k], float(case.prob[target][k])
        bar = element('span', class_='bar', style=f'width:{60 * prob:.1f}%')
        name: Child = label
        if label == truth:
            name = join([label, ' ', element('small', '(true)')])
        rows.append([name, join([bar, f'{prob:.3f}'])])
    blocks: list[Child] = [make_table([target, 'probability'], rows, class_='bars')]
    others = [name for name in case.classes if name != target]
    if others:
        table = [
            [
                name,
                _name(case, name),
                f'{case.prob[name].max():.3f}',
                _compare(case, name),
            ]
            for name in others
        ]
        heads = ['target', 'predicted', 'probability', 'truth']
        blocks.append(make_table(heads, table, class_='dense'))
    return blocks


def _render_maps(case: RegionExplanation) -> list[Child]:
    blocks: list[Child] = []
    for name in case.shown:
        plots = list(draw_sequence_maps(case, name))
        if not plots:
            continue
        figures = render_figures(plots, class_='maps')
        if name == case.main_target:
            blocks.append(figures)
        else:
            words = f'The same for {name}: {_name(case, name)}'
            blocks.append(element('details', element('summary', words), figures))
    if blocks:
        words = (
            f'Grad-CAM: what speaks for {_name(case, case.main_target)} in the last '
            'maps of each sequence, on one scale. Change when hidden: what its '
            'probability loses (orange) or wins (purple) where a block of that '
            f'sequence is replaced by {_describe_fill(case)}. Each sequence is shown '
            'at the slice where most is to be seen.'
        )
        blocks.insert(0, element('p', words))
    return blocks


def _render_interventions(case: RegionExplanation) -> list[Child]:
    plot = draw_interventions(case)
    if plot is None or case.relay is None:
        return []
    target = case.relay.main_target
    classes, label = case.classes[target], case.get_label(target)
    rows = []
    for sign, had, prob in describe_absences(case):
        best = int(prob.argmax())
        now: Child = classes[best]
        if best != label:
            now = element('b', classes[best])
        numbers = f'{case.prob[target][label]:.2f} → {prob[label]:.2f}'
        rows.append([f'{sign}: {had}', case.classes[sign][0], numbers, now])
    blocks: list[Child] = []
    if rows:
        heads = ['sign', 'set to', f'probability of {classes[label]}', f'{target} then']
        blocks.append(make_table(heads, rows, class_='dense'))
    else:
        blocks.append(element('p', 'No sign is believed to be there.'))
    return [*blocks, render_figures([plot])]


def _render_notes(case: RegionExplanation) -> list[Child]:
    notes = [
        'This explains the network, not the disease: it shows what the answer depends '
        'on, right or wrong.',
        'Grad-CAM is as coarse as the last maps of the network, and blind to what '
        'speaks against a class.',
        'A hidden block is an image that the network never saw; a small change may '
        'mean that other blocks or sequences say the same.',
        'Without a sequence: as the network treats missing ones. One that was trained '
        'on complete cases only may answer anything.',
    ]
    return [element('ul', [element('li', note) for note in notes])]


def _collect_findings(case: RegionExplanation) -> list[Finding]:
    findings = []
    if case.seen_in_training:
        text = f'{case.model} was trained or chosen on this case.'
        findings.append(Finding('error', text))
    if case.seen_in_training is None:
        text = f'whether {case.model} was trained on this case is not known.'
        findings.append(Finding('note', text))
    absent = [
        name
        for name, has in zip(case.sequences, case.available, strict=True)
        if not has
    ]
    if absent:
        text = f'the case has no {", ".join(absent)}.'
        findings.append(Finding('note', text))
    return findings


def _describe_case(case: RegionExplanation) -> str:
    truth = case.describe_truth(case.main_target)
    label = _name(case, case.main_target)
    verdict = (
        'The true class is not known.'
        if truth is None
        else 'That is right.'
        if truth == label
        else f'In truth it is {truth}.'
    )
    size = f', {case.size_mm:g} mm' if case.size_mm else ''
    shape = ' x '.join(map(str, case.image.shape[1:]))
    return (
        f'{verdict} Patient {case.patient_id}{size}; model {case.model}; '
        f'{shape} voxels (Z, Y, X).'
    )


def _name(case: RegionExplanation, target: str) -> str:
    return case.classes[target][case.get_label(target)]


def _compare(case: RegionExplanation, target: str) -> Child:
    truth = case.describe_truth(target)
    if truth is None:
        return NONE
    return truth if truth == _name(case, target) else element('b', truth)


def _describe_fill(case: RegionExplanation) -> str:
    return 'its mean' if case.fill == 'mean' else 'zero'


def _find_kind(image: bytes) -> str:
    return 'jpg' if image[:1] == b'\xff' else 'svg'
