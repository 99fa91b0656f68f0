"""Mosaics of a series: image and contours in one place, to flicker between.

Not here: drawing them (``cord_previews``), how they flicker (``cord_style``).
"""

from collections.abc import Sequence

from mmmed.reporting.cord_folder import (
    PREVIEW_FOLDER,
    CordSeries,
    take_list,
    take_map,
)
from mmmed.reporting.html import Child, Markup, element, embed_image
from mmmed.reporting.wording import format_count

_PLANES = (
    ('sagittal', 'along the cord, ', "from the patient's right to the left"),
    ('axial', 'across the cord, ', 'from the head down'),
)


def render_mosaics(series: CordSeries, *, embed: bool) -> list[Child]:
    """All mosaics that the series has, with what changes them.

    Args:
        series: The series.
        embed: Whether pictures become part of the page; links else.
    """
    told = {
        take_map(row).get('plane'): take_map(row)
        for row in take_list((series.previews or {}).get('mosaics'))
    }
    has_cord = (series.previews or {}).get('has_cord') is True
    blocks: list[Child] = []
    for plane, about, words in _PLANES:
        names = [f'mosaic_{plane}_{kind}.jpg' for kind in ('image', 'overlay')]
        names = [name for name in names if name in series.pictures]
        if not names:
            continue
        title = f'{plane.capitalize()}, {about if has_cord else ""}{words}'
        count = len(take_list(told.get(plane, {}).get('slices')))
        if count:
            title += f', {format_count(count, "slice")}'
        if embed:
            blocks.append(_render_mosaic(series, names, title))
        else:
            blocks.append(_render_links(series, names, title))
    if embed and any(name.endswith('overlay.jpg') for name in series.pictures):
        blocks.insert(0, _render_switches())
    return blocks


def _render_links(series: CordSeries, names: Sequence[str], title: str) -> Markup:
    paths = [f'{PREVIEW_FOLDER}/{name}' for name in names]
    links = [element('a', f'{path} ', href=series.make_link(path)) for path in paths]
    return element('p', f'{title}: ', links)


def _render_mosaic(series: CordSeries, names: Sequence[str], title: str) -> Markup:
    """The overlay lies on the image; without one there is nothing to flicker."""
    first, *above = (
        embed_image(
            series.pictures[name],
            'jpg',
            f'{title}: {"contours" if name.endswith("overlay.jpg") else "image"}',
        )
        for name in names
    )
    stack = element(
        'span', first, [element('span', over, class_='over') for over in above],
        class_='stack',
    )  # fmt: skip
    view = element('span', stack, class_='view')
    name = element('span', title, class_='name')
    if not above:
        return element('figure', name, view, class_='flicker')
    hint = element('span', ' (click or space: contours on or off)', class_='hint')
    box = element('input', type='checkbox')
    return element(
        'figure', element('label', box, ' ', name, hint, view), class_='flicker'
    )


def _render_switches() -> Markup:
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
