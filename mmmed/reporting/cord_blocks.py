"""Parts of the spinal cord report: decisions, mosaics that flicker, tables of lesions.

Not here: reading the folder (``cord_folder``), the page around them (``cord_report``).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mmmed.reporting.cord_folder import (
    ACCEPTED,
    PREVIEW_FOLDER,
    CordSeries,
    CordStage,
    take_list,
    take_map,
    take_number,
)
from mmmed.reporting.html import (
    Child,
    Markup,
    element,
    embed_image,
    make_row,
    make_table,
    make_table_of,
)
from mmmed.reporting.wording import NONE, format_count

# Classes of a stage with a bar of their own; the rest is in the log.
_MAX_BARS = 4
# Lesions with a column of their own; all are in the CSV.
MAX_COLUMNS, MAX_ROWS = 8, 40

CORD_STYLE = """
.pass { background: #e2f3ec; color: #00573f; }
.stop { background: #fbe3e0; color: var(--red); }
.bars { display: grid; grid-template-columns: minmax(5.5rem, max-content) 1fr 3rem;
  gap: .15rem .6rem; align-items: center; min-width: 15rem; font-size: .88rem; }
.bars > span { overflow-wrap: anywhere; line-height: 1.25; }
.bars .end { text-align: right; }
.rail { position: relative; height: .7rem; background: #edf0f3;
  border-radius: .15rem; display: block; }
.rail i { position: absolute; top: 0; bottom: 0; left: 0; background: #a8b3c0;
  border-radius: .15rem; min-width: 1px; }
.rail i.main { background: var(--blue); }
.rail i.less { background: #d55e00; }
.rail u { position: absolute; top: -.2rem; bottom: -.2rem; width: 2px;
  background: var(--ink); }
.rail i.lesion { background: #e69f00; border: 1px solid #9a6700; min-width: 4px; }
.track .rail { background: #cfe4f2; min-width: 9rem; margin-top: .4rem; }
.stages small { display: block; white-space: normal; overflow-wrap: anywhere;
  color: var(--soft); margin-top: .15rem; }
.stages tbody th { min-width: 7rem; } .stages th small { font-weight: 400; }
.stages td:last-child { width: 62%; }
.facts { color: var(--soft); font-size: .92rem; max-width: none; }
.switches { display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; font-size: .92rem;
  margin: .9rem 0 .2rem; }
.switches label, .flicker > label { cursor: pointer; }
.flicker { max-width: none; margin: .8rem 0 1.4rem; }
.flicker label > span.name { font-weight: 600; }
.flicker .view { overflow-x: auto; display: block; margin-top: .3rem; }
.flicker .stack { position: relative; display: block; width: max-content;
  max-width: 100%; }
.flicker .stack img { display: block; width: 100%; height: auto; }
.flicker .stack .over { position: absolute; top: 0; left: 0; width: 100%; }
.flicker label > span.hint { color: var(--soft); font-size: .88rem; }
.key { display: inline-block; width: .8rem; height: .8rem; border: 2px solid;
  vertical-align: -.1rem; margin: 0 .3rem 0 .8rem; }
.key.cord { border-color: #56b4e9; margin-left: 0; }
.key.spot { border-color: #e69f00; background: rgba(230, 159, 0, .35); }
.flicker input:checked ~ .view .over { visibility: hidden; }
section:has(.plain:checked) .over { visibility: hidden; }
section:has(.blink:checked) .over { animation: flick 1.4s step-end infinite; }
@keyframes flick { 50% { visibility: hidden; } }
.measures { min-width: 0; }
.measures th, .measures td { padding-right: 1.2rem; }
@media (max-width: 40rem) {
  .flicker .stack { max-width: none; }
  .stages thead { display: none; }
  .stages tr { display: block; border-bottom: 1px solid var(--line);
    padding: .4rem 0; }
  .stages th, .stages td { display: block; border: 0; padding: .1rem 0;
    width: auto !important; }
  .bars { min-width: 0; }
  .overview td:nth-child(4) { min-width: 12rem; }
  .stages tbody th { font-weight: 600; }
}
@media print {
  .switches, .flicker input, .hint { display: none; }
  .flicker .view { overflow: visible; }
  .flicker .stack { width: auto; min-width: 0; max-width: 100%; }
  .flicker .stack .over { position: static; margin-top: .2rem;
    visibility: visible !important; animation: none !important; }
  .flicker .stack img { break-inside: avoid; max-height: 9.5cm; width: auto;
    max-width: 100%; }
}
"""

_MEASURES = {
    'volume_mm3': ('volume', 'mm³', 1),
    'voxels': ('voxels', '', 0),
    'length_mm': ('length along the cord', 'mm', 1),
    'width_mm': ('largest width, back to front', 'mm', 1),
    'max_equivalent_diameter_mm': ('largest equivalent diameter', 'mm', 1),
    'max_axial_damage_ratio': ('largest share of the cross-section', '%', 1),
    'parasagittal': ('misses the midsagittal slice', '', 0),
    'midsagittal_length_mm': ('midsagittal length', 'mm', 1),
    'midsagittal_width_mm': ('midsagittal width', 'mm', 1),
    'dorsal_bridge_mm': ('dorsal tissue bridge', 'mm', 1),
    'ventral_bridge_mm': ('ventral tissue bridge', 'mm', 1),
    'total_bridge_mm': ('tissue bridges together', 'mm', 1),
    'dorsal_bridge_ratio': ('dorsal bridge, of the diameter', '%', 1),
    'ventral_bridge_ratio': ('ventral bridge, of the diameter', '%', 1),
    'total_bridge_ratio': ('bridges together, of the diameter', '%', 1),
    'level': ('vertebral level', '', 0),
    'cord_top_mm': ('upper end, below that of the visible cord', 'mm', 1),
    'cord_bottom_mm': ('lower end, likewise', 'mm', 1),
    'first_slice': ('lowest axial slice, counted from below', '', 0),
    'last_slice': ('highest axial slice', '', 0),
    'centroid_r_mm': ('center, towards the right', 'mm', 1),
    'centroid_a_mm': ('center, towards the front', 'mm', 1),
    'centroid_s_mm': ('center, towards the head', 'mm', 1),
    'centroid_voxel_x': ('center, voxel x of the file', '', 1),
    'centroid_voxel_y': ('center, voxel y of the file', '', 1),
    'centroid_voxel_z': ('center, voxel z of the file', '', 1),
    'image_mean': ('mean of the image', '', 1),
    'image_std': ('standard deviation of the image', '', 1),
    'confidence_mean': ('mean probability', '', 2),
    'confidence_max': ('largest probability', '', 2),
}


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


def render_switches() -> Markup:
    """What changes all mosaics of a series at once; needs no script."""
    return element(
        'div',
        element(
            'label', element('input', type='checkbox', class_='plain'),
            ' hide all contours',
        ),
        element(
            'label', element('input', type='checkbox', class_='blink'),
            ' flicker by itself',
        ),
        element(
            'span',
            element('span', class_='key cord'), 'spinal cord',
            element('span', class_='key spot'), 'lesion',
        ),
        class_='switches',
    )  # fmt: skip


def render_mosaics(series: CordSeries, *, embed: bool) -> list[Child]:
    """Both mosaics, image and overlay in one place.

    Args:
        series: The series.
        embed: Whether pictures become part of the page; links else.
    """
    told = {
        take_map(row).get('plane'): take_map(row)
        for row in take_list((series.previews or {}).get('mosaics'))
    }
    blocks: list[Child] = []
    has_cord = (series.previews or {}).get('has_cord') is True
    for plane, about, words in (
        ('sagittal', 'along the cord, ', "from the patient's right to the left"),
        ('axial', 'across the cord, ', 'from the head down'),
    ):
        names = [f'mosaic_{plane}_{kind}.jpg' for kind in ('image', 'overlay')]
        if not all(name in series.pictures for name in names):
            continue
        if not embed:
            links = [
                element('a', f'{PREVIEW_FOLDER}/{name} ',
                        href=series.make_link(f'{PREVIEW_FOLDER}/{name}'))
                for name in names
            ]  # fmt: skip
            blocks.append(element('p', f'{plane.capitalize()} mosaic: ', links))
            continue
        count = len(take_list(told.get(plane, {}).get('slices')))
        size = f', {format_count(count, "slice")}' if count else ''
        title = f'{plane.capitalize()}, {about if has_cord else ""}{words}{size}'
        plain, over = (
            embed_image(series.pictures[name], 'jpg', f'{title}: {what}')
            for name, what in zip(names, ('image', 'contours'), strict=True)
        )
        blocks.append(
            element(
                'figure',
                element(
                    'label',
                    element('input', type='checkbox'),
                    ' ',
                    element('span', title, class_='name'),
                    element('span', ' (click: contours on or off)', class_='hint'),
                    element(
                        'span',
                        element(
                            'span', plain, element('span', over, class_='over'),
                            class_='stack',
                        ),
                        class_='view',
                    ),
                ),
                class_='flicker',
            )
        )  # fmt: skip
    return blocks


def render_lesions(series: CordSeries) -> list[Child]:
    """Main measures with the place along the cord, totals, then all measures."""
    analysis, lesions = series.analysis or {}, series.lesions
    length = take_number(take_map(analysis.get('cord')).get('length_mm')) or 0.0
    blocks: list[Child] = [element('p', _describe_totals(analysis))]
    if not lesions:
        return blocks
    rows = [
        [
            _format(row, 'label', 0),
            *(_format(row, key, _MEASURES[key][2]) for key in _MAIN),
            _render_track(row, length),
        ]
        for row in lesions[:MAX_ROWS]
    ]
    heads = [
        'no.', 'volume (mm³)', 'length (mm)', 'width (mm)', 'diameter (mm)',
        'of the cord (%)', 'bridges (mm)', 'level',
        f'place along the visible cord, head to the left (0 to {length:.0f} mm)',
    ]  # fmt: skip
    caption = ''
    if len(lesions) > MAX_ROWS:
        caption = f'The {MAX_ROWS} largest of {len(lesions)}; all are in the CSV.'
    blocks.append(make_table(heads, rows, caption=caption, class_='track'))
    shown = lesions[:MAX_COLUMNS]
    table = [
        [
            f'{name} ({unit})' if unit else name,
            *(_format(row, key, digits) for row in shown),
        ]
        for key, (name, unit, digits) in _MEASURES.items()
        if any(key in row for row in shown)
    ]
    heads = ['measure', *(f'lesion {_format(row, "label", 0)}' for row in shown)]
    name = 'All measures'
    if len(lesions) > MAX_COLUMNS:
        name += f' of the {MAX_COLUMNS} largest'
    blocks.append(
        element(
            'details', element('summary', name), make_table(heads, table,
            class_='measures num'), element('p', _NOTE, class_='soft'), open='',
        )
    )  # fmt: skip
    return blocks


_MAIN = (
    'volume_mm3', 'length_mm', 'width_mm', 'max_equivalent_diameter_mm',
    'max_axial_damage_ratio', 'total_bridge_mm', 'level',
)  # fmt: skip
_NOTE = (
    'Definitions of the Spinal Cord Toolbox (sct_analyze_lesion). Lengths follow the '
    'cord, widths and bridges are at right angles to it. Where the midsagittal slice '
    'misses a lesion, its bridges are halves of the smallest diameter of the cord '
    'beside it.'
)


def _describe_totals(analysis: Mapping[str, Any]) -> str:
    count = take_number(analysis.get('lesion_count'))
    volume = take_number(analysis.get('lesion_volume_mm3'))
    if not count:
        words = 'No lesion inside the cord'
    else:
        words = f'{format_count(int(count), "lesion")}, {volume or 0:,.1f} mm³ together'
    share = take_number(analysis.get('lesion_share_of_cord'))
    if count and share is not None:
        words += f', {100 * share:.1f} % of the visible cord'
    cord = take_map(analysis.get('cord'))
    length, size = (take_number(cord.get(k)) for k in ('length_mm', 'volume_mm3'))
    if length and size:
        words += f'. The visible cord: {length:.0f} mm long, {size:,.0f} mm³'
    outside = take_map(analysis.get('outside_cord'))
    if take_number(outside.get('count')):
        number = int(take_number(outside.get('count')) or 0)
        removed = take_number(outside.get('volume_mm3')) or 0
        words += f'. Removed outside the cord: {number}, {removed:,.1f} mm³'
    return f'{words}.'


def _render_track(row: Mapping[str, Any], length: float) -> Child:
    """The lesion on a line as long as the visible cord."""
    top, bottom = (take_number(row.get(f'cord_{end}_mm')) for end in ('top', 'bottom'))
    if top is None or bottom is None or not length:
        return NONE
    left = min(max(top / length, 0), 1)
    width = min(max(bottom / length - left, 0), 1 - left)
    style = f'left:{100 * left:.1f}%;width:{100 * width:.1f}%'
    mark = element('i', class_='lesion', style=style)
    return [
        element('span', mark, class_='rail'),
        element('small', f'{top:.1f} to {bottom:.1f} mm'),
    ]


def _format(row: Mapping[str, Any], key: str, digits: int) -> str:
    value = row.get(key)
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    number = take_number(value)
    if number is None:
        return NONE
    if key.endswith('_ratio'):
        number *= 100
    return f'{number:,.{digits}f}'
