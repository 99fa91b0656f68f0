"""Tables of the lesions of a series: main measures, their place, all measures.

Not here: measuring (``mmmed.inference.cascade.lesion_analysis``).
"""

from collections.abc import Mapping
from typing import Any

from mmmed.reporting.cord_folder import CordSeries, take_map, take_number
from mmmed.reporting.html import Child, element, make_table
from mmmed.reporting.wording import NONE, format_count

# Lesions with a column of their own; all are in the CSV.
MAX_COLUMNS, MAX_ROWS = 8, 40

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
