"""The report about a run of the spinal cord pipeline: one page that needs nothing else.

Not here: what is said about a series (``cord_findings``, ``cord_decisions``,
``cord_lesion_tables``).
"""

from collections.abc import Iterator
from pathlib import Path

from mmmed.files import write_text_atomic
from mmmed.reporting.cord_decisions import render_stages, render_status
from mmmed.reporting.cord_findings import collect_run_findings, collect_series_findings
from mmmed.reporting.cord_flicker import render_mosaics
from mmmed.reporting.cord_folder import (
    ACCEPTED,
    PREVIEW_FOLDER,
    CordRun,
    CordSeries,
    read_cord_folder,
    take_list,
    take_number,
    take_text,
)
from mmmed.reporting.cord_lesion_tables import render_lesions
from mmmed.reporting.cord_style import CORD_STYLE
from mmmed.reporting.frame import (
    Section,
    render_findings,
    render_frame,
    render_links,
)
from mmmed.reporting.html import Child, element, make_page, make_row, make_table_of
from mmmed.reporting.style import STYLE
from mmmed.reporting.wording import NONE, format_count

REPORT_NAME = 'report.html'
# Bytes of pictures in a page; those of further series are links to files beside it.
MAX_PICTURES = 16 << 20
# Links that fit into the head of a page.
_MAX_LINKS = 12


def write_cord_report(out: str | Path) -> Path:
    """Write the report of a run from its own results; the images are not needed.

    Args:
        out: Folder with ``<patient>/<series>/processing_log.json`` and what lies
            beside it.

    Returns:
        ``report.html`` in that folder; the same results give the same bytes.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It holds no result of this pipeline.
        OSError: The page cannot be written.
    """
    out = Path(out)
    path = out / REPORT_NAME
    write_text_atomic(path, render_cord_page(read_cord_folder(out)))
    return path


def render_cord_page(run: CordRun) -> str:
    """The whole page."""
    patients = len({s.patient for s in run.series})
    title = (
        f'Spinal cord lesions: {len(run.series)} series of '
        f'{format_count(patients, "patient")}'
    )
    sections: list[Section] = [('overview', 'Overview', _render_overview(run))]
    left = MAX_PICTURES
    for number, series in enumerate(run.series):
        size = sum(len(data) for data in series.pictures.values())
        content = list(_render_series(series, embed=size <= left))
        left -= size if size <= left else 0
        heading = f'{series.patient} / {series.series}'
        sections.append((_name_anchor(number), heading, content))
    sections.append(('method', 'How to read this page', _render_method(run)))
    linked = sections
    if len(sections) > _MAX_LINKS:
        linked = [sections[0], sections[-1]]
    header = element(
        'header',
        element('h1', title),
        element('p', _describe_run(run), class_='soft'),
        render_links(linked),
    )
    body = [
        header, render_findings(collect_run_findings(run)), *render_frame(sections)
    ]  # fmt: skip
    return make_page(title, STYLE + CORD_STYLE, body)


def _describe_run(run: CordRun) -> str:
    software = next((s.software for s in run.series if s.software), {})
    devices = sorted({s.device for s in run.series if s.device})
    parts = [f'{name} {version}' for name, version in software.items() if version]
    if devices:
        parts.append(f'on {", ".join(devices)}')
    made = f'Made with {", ".join(parts)}. ' if parts else ''
    return (
        f'{made}Masks and measures come from networks: look at the contours before '
        'you use a number. Not for diagnosis.'
    )


def _render_overview(run: CordRun) -> list[Child]:
    """One row a series; what was rejected comes first."""
    rows = []
    for number, series in enumerate(run.series):
        analysis = series.analysis or {}
        count, volume = (
            take_number(analysis.get(key))
            for key in ('lesion_count', 'lesion_volume_mm3')
        )
        link = element('a', series.series or NONE, href=f'#{_name_anchor(number)}')
        rows.append(
            make_row(
                [
                    series.patient or NONE,
                    link,
                    render_status(series.status),
                    series.reason or NONE,
                    NONE if count is None else int(count),
                    NONE if volume is None else f'{volume:,.1f}',
                    _format_seconds(series.total_seconds),
                ]
            )
        )
    heads = ['patient', 'series', 'status', 'reason', 'lesions', 'volume (mm³)', 'time']
    blocks: list[Child] = [make_table_of(heads, rows, class_='overview')]
    if run.left_out:
        items = [
            element('li', element('code', place), f': {reason}')
            for place, reason in run.left_out
        ]
        name = f'Input that is no series ({len(items)})'
        blocks.append(
            element('details', element('summary', name), element('ul', items))
        )
    return blocks


def _render_series(series: CordSeries, *, embed: bool) -> Iterator[Child]:
    yield element('p', render_status(series.status), ' ', series.reason)
    facts = _describe_input(series)
    if facts:
        yield element('p', facts, class_='facts')
    yield render_findings(collect_series_findings(series))
    if series.stages:
        yield element('h3', 'Decisions')
        yield render_stages(series.stages)
    mosaics = render_mosaics(series, embed=embed)
    if mosaics:
        yield element('h3', 'Image and contours')
        yield from mosaics
    if series.analysis is not None:
        yield element('h3', 'Lesions')
        yield from render_lesions(series)
    links = [
        element('a', f'{name} ', href=series.make_link(folder + name))
        for folder, names in (('', series.files), (f'{PREVIEW_FOLDER}/', series.slices))
        for name in names
    ]
    if links:
        yield element(
            'details',
            element('summary', f'Files ({len(links)})'),
            element('ul', [element('li', link) for link in links]),
        )


def _describe_input(series: CordSeries) -> str:
    """Format, size and orientation in one line."""
    known = series.input
    parts = [take_text(known.get(key)) for key in ('place', 'format')]
    for key, words in (('shape', 'voxels (Z, Y, X)'), ('spacing_mm', 'mm')):
        values = [take_number(v) for v in take_list(known.get(key))]
        if values and None not in values:
            shown = ' x '.join(f'{v:.4g}' for v in values if v is not None)
            parts.append(f'{shown} {words}')
    codes = take_text(known.get('axcodes'))
    if codes:
        parts.append(f'axes towards {codes}')
    # The gate of single slices says nothing about the series.
    labels = [s.label for s in series.stages if s.accepts and s.label and s.accepted]
    if labels and series.status == ACCEPTED:
        parts.append(f'taken for {", ".join(labels)}')
    return '; '.join(filter(None, parts))


def _render_method(run: CordRun) -> list[Child]:
    notes = [
        'A series passes the gates one after the other. The probability that counts '
        'is the mean over slices; the line across a bar is the threshold. Blue: '
        'reached, orange: not reached, grey: not compared.',
        'Pictures are upright: in sagittal ones the front is to the left, in axial '
        "ones the patient's right. The number over a tile is that of the slice in "
        'the file, counted from 0; then comes its place in the scanner, in mm. The '
        'scale bar of the first tile holds for all.',
        'Contours run along the edges of voxels: they show what was marked, not a '
        'smooth guess of it.',
        'Lesions are connected components (18 neighbours) inside the cord mask. What '
        'touches no cord is counted and left out of all sums.',
        'All numbers are in lesion_analysis.csv and .json beside the masks, all '
        'decisions in processing_log.json.',
    ]
    return [element('ul', [element('li', note) for note in notes])]


def _format_seconds(value: float | None) -> str:
    return NONE if value is None else f'{value:.1f} s'


def _name_anchor(number: int) -> str:
    """Names of folders are no anchors: they may hold anything."""
    return f'series-{number + 1}'
