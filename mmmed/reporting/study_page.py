"""The Markdown page of a study: what was compared, on whom, and every table.

The text is a function of the results: no clock, no path of a machine. Not here: single
sections (``study_sections``), the numbers (``study_tables``).
"""

from collections.abc import Sequence

from mmmed.reporting.study_markdown import make_table
from mmmed.reporting.study_published import Published, PublishedTable
from mmmed.reporting.study_sections import render_section
from mmmed.reporting.study_spec import SECTIONS
from mmmed.reporting.study_tables import Study, StudyTable
from mmmed.reporting.wording import format_count

_SYNTHETIC = (
    '**The cohort is semi-synthetic.** Its manifest says so: lesions (real masks where '
    'it was made with `--masks`) in a template anatomy with simulated variation, by '
    '`tools/make_atlas_phantom.py`. The numbers compare methods with each other under '
    'one budget. They say nothing about patients and must not be set against published '
    'scores.'
)
_READING = (
    '- **Whole volumes**: the pixel counts of all slices of a subject are added first, '
    'so the score is the 3-D Dice. Mean ± SD over subjects; the interval is a 95 % '
    'bootstrap over subjects, the volume error the mean of its absolute values. This '
    'is the number to compare by.\n'
    '- **Slices with lesion and without are never mixed.** Of the first, Dice counts '
    'and how many were left empty; of the second, only how many were marked '
    'nevertheless.\n'
    '- **The published arithmetic** averages a smoothed Dice over all slices, '
    '(2 TP + 1) / (2 TP + FP + FN + 1). It gives 1 to an empty slice left empty, so '
    '*all background*, a predictor that never marks anything, scores the share of '
    'lesion-free slices plus a little for the others: 1 / (n + 1) for n lesion pixels. '
    '*Half with lesion* weighs the same slices as a validation does that draws as many '
    'without lesion as with. Only the gain over *all background* is the work of a '
    'network.\n'
    '- **In pairs**: difference of the Dice of the same subjects, with a bootstrap '
    "interval and Wilcoxon's signed-rank test; *corrected* is after Holm, for the "
    'number of pairs in the table. A difference is called one where both agree.'
)


def render_study(study: Study, published: Published, folder: str) -> str:
    """Markdown of a study.

    Args:
        study: With its tables.
        published: Numbers of others.
        folder: Of the CSV files, relative to the page.
    """
    lines = [
        f'# {study.spec.title}',
        '',
        '<!-- Written by tools/make_results.py; changes by hand are lost. -->',
        '',
        *_describe(study),
        '## How to read the tables',
        '',
        _READING,
        '',
        *([study.spec.reading, ''] if study.spec.reading else []),
    ]
    for table in study.tables:
        beside = [one for one in published.tables if one.beside == table.spec.name]
        lines += _render_table(table, beside, folder)
    names = [table.spec.name for table in study.tables]
    rest = [one for one in published.tables if one.beside not in names]
    if rest:
        lines += ['## Published numbers', '']
        lines += [line for one in rest for line in render_published(one, '###')]
    lines += _list_sources(published)
    lines += _list_files(study, folder)
    return '\n'.join(lines).rstrip() + '\n'


def _describe(study: Study) -> list[str]:
    lines = []
    if any(run.semi_synthetic for run in study.runs.values()):
        lines += [_SYNTHETIC, '']
    if study.spec.note:
        lines += [study.spec.note, '']
    if study.runs:
        lines += [_describe_runs(study), '']
    if study.absent:
        count = format_count(len(study.absent), 'result')
        verb = 'is' if len(study.absent) == 1 else 'are'
        lines += [f'**{count} {verb} not there yet**, named under their tables.', '']
    for text, names in study.list_warnings().items():
        runs = ', '.join(f'`{name}`' for name in names)
        lines += [f'> **Caution**, {runs}: {text}.', '']
    return lines


def _describe_runs(study: Study) -> str:
    runs = list(study.runs.values())
    records = [one.run for run in runs for one in run.evaluations]
    subjects = {name for run in runs for name in run.subjects.subjects}
    slices = sum(len(run.slices.counts) for run in runs)
    ended = sorted(str(one['finished'])[:10] for one in records if one.get('finished'))
    dates = ' to '.join(dict.fromkeys([ended[0], ended[-1]])) if ended else ''
    devices = ', '.join(sorted({str(one.get('device')) for one in records}))
    hashes = ', '.join(sorted({f'`{str(run.split_hash)[:12]}`' for run in runs}))
    unseen = all(run.is_held_out for run in runs)
    return (
        f'{format_count(len(runs), "run")}{f", tested {dates}" if dates else ""}, on '
        f'{devices}; {format_count(len(subjects), "subject")}'
        f'{" that none of them was trained on" if unseen else ""}, {slices:,} slices '
        f'scored; split {hashes}.'
    )


def _render_table(
    table: StudyTable, beside: Sequence[PublishedTable], folder: str
) -> list[str]:
    spec = table.spec
    lines = [f'## {spec.title}', '']
    if spec.note:
        lines += [spec.note, '']
    for name, where, reason in table.missing:
        folder_note = '' if where == name else f' (folder `{where}`)'
        lines += [f'- not there: `{name}`{folder_note}: {reason}']
    if table.missing:
        lines += ['']
    for remark in table.remarks:
        lines += [f'> {remark}', '']
    if not table.rows:
        lines += ['No result yet.', '']
    for section in SECTIONS:
        if section in table.rows:
            lines += render_section(section, table.rows[section], spec)
    if table.rows:
        files = [
            f'[{section}]({folder}/{spec.name}_{section}.csv)'
            for section in SECTIONS
            if section in table.rows
        ]
        lines += [f'As CSV: {", ".join(files)}.', '']
    for one in beside:
        lines += render_published(one, '###')
    return lines


def render_published(table: PublishedTable, heading: str) -> list[str]:
    """Lines of a table of published numbers.

    Args:
        table: The table.
        heading: Its level, such as ``'###'``.
    """
    sources = ', '.join(f'[{name}]' for name in table.sources)
    lines = [
        f'{heading} Published: {table.title}',
        '',
        *make_table(table.columns, table.rows),
        '',
        f'Protocol: {table.protocol} Source: {sources}.',
        '',
    ]
    return [*lines, table.note, ''] if table.note else lines


def _list_sources(published: Published) -> list[str]:
    if not published.sources:
        return []
    used = {name for table in published.tables for name in table.sources}
    lines = [f'- [{k}] {text}' for k, text in published.sources.items() if k in used]
    return ['## Sources', '', *lines, '']


def _list_files(study: Study, folder: str) -> list[str]:
    lines = ['## Files', '']
    if study.runs or study.fusions:
        lines += [
            f'Every subject of every run: [subjects.csv]({folder}/subjects.csv). The '
            'tables above are CSV files in the same folder, with all digits.',
            '',
        ]
    if study.spec.command:
        lines += ['Made by', '', '```bash', study.spec.command, '```', '']
    return lines
