"""The page about the lesions of a data set: figures and counts of every level.

Not here: counting (``mmmed.preparation.lesion_tables``), drawing
(``mmmed.visualization``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from mmmed.files import write_bytes_atomic, write_text_atomic
from mmmed.reporting.findings import NOTE, WARNING, Finding
from mmmed.reporting.frame import (
    Section,
    render_files,
    render_findings,
    render_frame,
    render_links,
)
from mmmed.reporting.html import (
    Child,
    Markup,
    element,
    embed_image,
    make_page,
    make_table,
)
from mmmed.reporting.style import STYLE
from mmmed.visualization import encode_figure, plot_lesion_profile, plot_size_strata

_Rows = Sequence[Mapping[str, Any]]
_READING = (
    'Above: density, every value, median and quartiles on a logarithmic axis; bands '
    'are the size categories. Below: how many fall in each.'
)


@dataclass(frozen=True)
class LesionLevel:
    """What is known of one level: a volume or the slices of a plane.

    Args:
        name: ``'volume'`` or a plane.
        sizes: Lesion size of every entry, in ``unit``; shape (n,).
        unit: ``'mm³'`` or ``'mm²'``.
        strata: Rows with ``name``, ``above``, ``up_to`` and ``count``, smallest first.
        total: Entries with or without a lesion.
    """

    name: str
    sizes: ArrayLike
    unit: str
    strata: _Rows
    total: int

    @property
    def counted(self) -> str:
        """What an entry is, plural."""
        return 'subjects' if self.name == 'volume' else f'{self.name} slices'


@dataclass(frozen=True)
class LesionContent:
    """All that the page says.

    Args:
        dataset: Its name.
        semi_synthetic: Whether lesions were put into images by a program.
        levels: The volume, then planes.
        profiles: As :func:`~mmmed.visualization.plot_lesion_profile` takes them.
        subjects: Rows with ``site``, ``volume_mm3``, ``number_of_lesion`` and, with
            an atlas, ``location``.
        files: File beside the page to description.
    """

    dataset: str
    semi_synthetic: bool
    levels: Sequence[LesionLevel]
    profiles: Mapping[str, tuple[ArrayLike, ArrayLike]]
    subjects: _Rows
    files: Mapping[str, str] = field(default_factory=dict)


def write_lesion_report(content: LesionContent, out: str | Path) -> Path:
    """Write ``lesions.html``, which opens offline, and its figures as PNG.

    Args:
        content: What to say.
        out: Folder; made if absent.

    Returns:
        The page.
    """
    out = Path(out)
    figures = {f'lesions_{level.name}': _draw_level(level) for level in content.levels}
    if content.profiles:
        figures['lesions_profile'] = plot_lesion_profile(
            content.profiles,
            title='Where lesions lie',
            ylabel='subjects with a lesion there',
        )
    images = {}
    for name, figure in figures.items():
        write_bytes_atomic(out / f'{name}.png', encode_figure(figure, 'png'))
        images[name] = encode_figure(figure, 'svg')
    page = out / 'lesions.html'
    write_text_atomic(page, _render(content, images))
    return page


def _draw_level(level: LesionLevel) -> Figure:
    what = (
        'Lesion volume of subjects'
        if level.name == 'volume'
        else (f'Lesion area on {level.name} slices')
    )
    return plot_size_strata(
        level.sizes,
        {str(row['name']): int(row['count']) for row in level.strata},
        [row['up_to'] for row in level.strata if row['up_to'] is not None],
        title=what,
        xlabel=f'{"volume" if level.name == "volume" else "area"} ({level.unit})',
        counted=level.counted,
    )


def _render(content: LesionContent, images: Mapping[str, bytes]) -> str:
    title = f'Lesions of {content.dataset}'
    sections: list[Section] = [
        (level.name, _name(level), _render_level(level, images))
        for level in content.levels
    ]
    if 'lesions_profile' in images:
        figure = _render_figure(
            images['lesions_profile'],
            'share of subjects with a lesion on each slice',
            'Axial from inferior, coronal from posterior, sagittal from the left.',
        )
        sections.append(('places', 'Where lesions lie', figure))
    for key, name in (('site', 'Sites'), ('location', 'Locations')):
        if any(row.get(key) for row in content.subjects):
            sections.append((f'{key}s', name, _render_groups(content.subjects, key)))
    sections.append(('rules', 'How it was counted', _render_rules()))
    sections.append(('files', 'Files', render_files(content.files)))
    header = element(
        'header',
        element('h1', title),
        element('p', _describe(content), class_='soft'),
        render_links(sections),
    )
    body = [header, render_findings(_find(content)), *render_frame(sections)]
    return make_page(title, STYLE, body)


def _name(level: LesionLevel) -> str:
    return 'Subjects' if level.name == 'volume' else f'{level.name.capitalize()} slices'


def _describe(content: LesionContent) -> str:
    volumes = [row['volume_mm3'] for row in content.subjects if row['volume_mm3']]
    text = (
        f'{len(content.subjects):,} labelled subjects, {len(volumes):,} with a lesion'
    )
    if volumes:
        text += (
            f': median {np.median(volumes):,.0f} mm³, from {min(volumes):,.0f} to '
            f'{max(volumes):,.0f}'
        )
    return text + '.'


def _find(content: LesionContent) -> list[Finding]:
    findings = []
    if content.semi_synthetic:
        text = (
            'The images are semi-synthetic: lesions were put into them by a program. '
            'Sizes and places are those of its masks.'
        )
        findings.append(Finding(WARNING, text))
    if not content.profiles:
        text = 'Subjects lie on different grids: no picture of where lesions lie.'
        findings.append(Finding(NOTE, text))
    return findings


def _render_level(level: LesionLevel, images: Mapping[str, bytes]) -> list[Child]:
    count = sum(row['count'] for row in level.strata)
    share = f' ({count / level.total:.1%})' if level.total else ''
    text = f'{count:,} of {level.total:,} {level.counted} show a lesion{share}.'
    rows = [
        [
            row['name'],
            f'{row["count"]:,}',
            f'{row["count"] / count:.1%}' if count else '',
        ]
        for row in level.strata
    ]
    return [
        element('p', text),
        _render_figure(
            images[f'lesions_{level.name}'], f'{_name(level)} by size', _READING
        ),
        make_table(['size', level.counted, 'share'], rows),
    ]


def _render_figure(image: bytes, alt: str, caption: str) -> Markup:
    return element(
        'figure', embed_image(image, 'svg', alt), element('figcaption', caption)
    )


def _render_groups(subjects: _Rows, key: str) -> Markup:
    """One row a site or location: how many subjects, how much lesion."""
    groups: dict[str, list[float]] = {}
    for row in subjects:
        groups.setdefault(str(row.get(key) or 'none'), []).append(row['volume_mm3'])
    rows = [
        [
            name,
            f'{len(volumes):,}',
            f'{np.median(volumes):,.0f}',
            f'{min(volumes):,.0f} to {max(volumes):,.0f}',
        ]
        for name, volumes in sorted(groups.items())
    ]
    return make_table([key, 'subjects', 'median volume (mm³)', 'range'], rows)


def _render_rules() -> Markup:
    rules = (
        'A lesion is a connected component; voxels touch by face, edge or corner '
        '(26 neighbours; on slices 8).',
        'A category holds sizes above its lower edge up to and with its upper edge.',
        'lesion_size_1 to lesion_size_10 follow the scan order of the file (left to '
        'right, posterior to anterior, inferior to superior), as in the published '
        'tables: the first is not the largest. Further lesions are in number and sum.',
        'Tables count voxels and pixels; categories and figures use mm³ and mm².',
    )
    return element('ul', [element('li', rule) for rule in rules])
