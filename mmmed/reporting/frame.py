"""What all pages of the house share: links, findings, sections, runs, files.

Not here: what a page is about (``page``, ``score_page``), tags (``html``).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mmmed.reporting.findings import Finding
from mmmed.reporting.html import Child, Markup, element, make_table
from mmmed.reporting.wording import NONE

FINDING_WORDS = {'error': 'Do not trust:', 'warning': 'Mind:', 'note': 'Missing:'}
# Anchor, heading and content.
Section = tuple[str, str, Child]


def render_links(sections: Iterable[Section]) -> Markup:
    """Links to the sections, for the top of the page."""
    return element(
        'nav', [element('a', name, href=f'#{key}') for key, name, _ in sections]
    )


def render_frame(sections: Iterable[Section]) -> list[Markup]:
    """The sections under their headings."""
    return [
        element('section', element('h2', name), section, id=key)
        for key, name, section in sections
    ]


def render_findings(findings: Sequence[Finding]) -> Markup | None:
    """What to know before believing a number; nothing if there is nothing."""
    items = [
        element('li', element('b', FINDING_WORDS[f.level]), f.text, class_=f.level)
        for f in findings
    ]
    return element('ul', items, class_='findings') if items else None


def render_runs(runs: Mapping[str, Mapping[str, Any]]) -> list[Child]:
    """Versions, hashes, seeds, hardware and times of every run that left a record."""
    known = {name: run for name, run in runs.items() if run}
    if not known:
        return [element('p', 'No run record was found.')]
    facts = [
        {k: v for k, v in run.items() if k != 'packages'} for run in known.values()
    ]
    packages = [run.get('packages') or {} for run in known.values()]
    rows = [
        [name, *(_make_fact(column.get(name)) for column in columns)]
        for columns in (facts, packages)
        for name in dict.fromkeys(name for column in columns for name in column)
    ]
    return [make_table(['', *known], rows)]


def _make_fact(value: Any) -> Child:
    if value is None:
        return NONE
    return element('code', str(value)) if len(str(value)) > 24 else str(value)


def render_files(files: Mapping[str, str]) -> list[Child]:
    """Links to the files beside the page, with a description each."""
    rows = [
        [element('a', link, href=link), description]
        for link, description in files.items()
    ]
    return [make_table(['file', 'content'], rows)]
