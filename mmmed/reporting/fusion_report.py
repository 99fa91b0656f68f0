"""Tables, figures and a page of a folder of fused scans that have references.

Not here: the numbers of the tables (``fusion_tables``).
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmmed.files import write_bytes_atomic, write_csv_atomic, write_text_atomic
from mmmed.reporting.frame import (
    Section,
    render_files,
    render_frame,
    render_links,
    render_runs,
)
from mmmed.reporting.fusion_tables import (
    SCORES,
    FusionCase,
    compare_slices,
    list_subject_slices,
    list_volumes,
    read_fusion_folder,
    summarize_volumes,
)
from mmmed.reporting.html import Markup, element, embed_image, make_page, make_table
from mmmed.reporting.style import STYLE
from mmmed.reporting.wording import format_count, format_score
from mmmed.visualization import encode_figure, plot_raincloud

COMPARISON = 'comparison_before_after_fusion.csv'
FILES = {
    COMPARISON: 'slices of each plane before and after fusion',
    'volumes.csv': 'every scan, each plane and the fusion: counts and 3-D scores',
    'summary_3d.csv': '3-D scores over scans, and what fusion gains',
}
PAGE = 'fusion.html'
_GROUP_WORDS = {
    'lesion': 'with lesion',
    'lesion_free': 'without lesion',
    'all': 'all, as published',
}


def write_fusion_report(folder: str | Path) -> list[Path]:
    """Write tables, figures and ``fusion.html`` into a folder of fused scans.

    Args:
        folder: Results of ``tools/fuse.py``; of all parts, if it was divided.

    Returns:
        What was written; nothing if no finished scan has a reference.

    Raises:
        ValueError: A file of the folder cannot be read.
        OSError: It cannot be written.
    """
    folder = Path(folder)
    cases = read_fusion_folder(folder)
    if not cases:
        return []
    tables = {
        COMPARISON: compare_slices(cases),
        'volumes.csv': list_volumes(cases),
        'summary_3d.csv': summarize_volumes(cases),
    }
    written = []
    for name, rows in tables.items():
        write_csv_atomic(folder / name, rows)
        written.append(folder / name)
    figures = _draw(cases, tables['volumes.csv'])
    for name, data in figures.items():
        path = folder / 'figures' / f'{name}.svg'
        write_bytes_atomic(path, data)
        written.append(path)
    page = _render(cases, tables, figures, _read_runs(folder))
    write_text_atomic(folder / PAGE, page)
    return [*written, folder / PAGE]


def _draw(
    cases: Sequence[FusionCase], volumes: Sequence[Mapping[str, Any]]
) -> dict[str, bytes]:
    """Rainclouds: 3-D Dice of all masks, and lesion slices of each plane."""
    names = dict.fromkeys(row['mask'] for row in volumes)
    groups = {
        name: [row['dice'] for row in volumes if row['mask'] == name] for name in names
    }
    figure = plot_raincloud(
        groups, title='Dice of whole volumes', xlabel='Dice, one point a scan'
    )
    figures = {'dice_3d': encode_figure(figure, 'svg')}
    for plane in cases[0].slices:
        title = f'Dice of {plane} lesion slices, before and after fusion'
        figure = plot_raincloud(
            list_subject_slices(cases, plane),
            title=title,
            xlabel='Dice, mean over the lesion slices of a scan',
        )
        figures[f'dice_slices_{plane}'] = encode_figure(figure, 'svg')
    return figures


def _render(
    cases: Sequence[FusionCase],
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    figures: Mapping[str, bytes],
    runs: Mapping[str, Mapping[str, Any]],
) -> str:
    images = [
        embed_image(data, 'svg', name.replace('_', ' '))
        for name, data in figures.items()
    ]
    sections: list[Section] = [
        ('volumes', 'Whole volumes', [_render_volumes(tables['summary_3d.csv'])]),
        ('slices', 'Slices before and after', _render_slices(tables[COMPARISON])),
        ('figures', 'Distributions', images),
        ('runs', 'Runs', render_runs(runs)),
        ('files', 'Files', render_files(FILES)),
    ]
    title = f'Fusion of planes: {format_count(len(cases), "scan")} with a reference'
    body = [element('h1', title), render_links(sections), *render_frame(sections)]
    return make_page(title, STYLE, body)


def _render_volumes(rows: Sequence[Mapping[str, Any]]) -> Markup:
    header = ['mask', *SCORES, 'Dice, median', 'gain of fusion', 'volume error, ml']
    body = [
        [
            row['mask'],
            *(_pair(row[f'{score}_mean'], row[f'{score}_sd']) for score in SCORES),
            _score(row['dice_median']),
            f'{_score(row["gain"])} [{_score(row["gain_low"])}, '
            f'{_score(row["gain_high"])}]',
            f'{row["absolute_volume_difference_ml"]:.2f}',
        ]
        for row in rows
    ]
    caption = 'Mean and standard deviation over scans; gain with its 95 % interval.'
    return make_table(header, body, caption=caption)


def _render_slices(rows: Sequence[Mapping[str, Any]]) -> list[Markup]:
    header = [
        'plane',
        'slices',
        'scans',
        'number',
        'Dice before',
        'Dice after',
        'change',
        'marked before',
        'marked after',
        'all background',
    ]
    body = [
        [
            row['plane'],
            _GROUP_WORDS[row['slices']],
            row['subjects'],
            f'{row["number_of_slices"]:,}',
            _pair(row['dice_before'], row['dice_before_sd']),
            _pair(row['dice_after'], row['dice_after_sd']),
            _score(row['dice_change']),
            _score(row['share_marked_before']),
            _score(row['share_marked_after']),
            _score(row.get('all_background_dice', math.nan)),
        ]
        for row in rows
    ]
    text = (
        'Slices with a lesion show how well it is found. Of slices without one only '
        'the share counts that is marked nevertheless: a false alarm. Over all slices, '
        'as published, an empty prediction of an empty slice scores 1; "all '
        'background" is the Dice of a network that never marks anything. Before and '
        'after are the same slices.'
    )
    return [element('p', text), make_table(header, body)]


def _read_runs(folder: Path) -> dict[str, Mapping[str, Any]]:
    runs: dict[str, Mapping[str, Any]] = {}
    for path in sorted(folder.glob('run*.json')):
        try:
            facts = json.loads(path.read_text())
        except (OSError, ValueError):
            continue
        # What was decided in detail is in the file; the page tells run from run.
        runs[path.stem] = {k: v for k, v in facts.items() if k != 'fusion'}
    return runs


def _pair(mean: float, sd: float) -> str:
    return _score(mean) if math.isnan(sd) else f'{_score(mean)} ± {_score(sd)}'


def _score(value: float) -> str:
    return format_score(None if math.isnan(value) else value)
