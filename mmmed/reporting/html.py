"""HTML that is escaped unless it was built here; names from data are never trusted.

Not here: what a page says (``page``) and looks like (``style``).
"""

import base64
import html
from collections.abc import Iterable

_VOID = {'br', 'img', 'meta', 'col', 'input'}


class Markup(str):
    """Text that is HTML already; only :func:`element` and friends make it."""

    __slots__ = ()


Child = str | int | float | None | Iterable['Child']


def element(name: str, *children: Child, **attributes: str | int | None) -> Markup:
    """One HTML element.

    Args:
        name: Tag.
        *children: Text is escaped, :class:`Markup` is not, sequences are joined,
            ``None`` is left out.
        **attributes: Values are escaped; ``None`` leaves the attribute out. A
            trailing underscore is dropped (``class_``), others become hyphens.
    """
    parts = [name]
    for key, value in attributes.items():
        if value is not None:
            shown = key.rstrip('_').replace('_', '-')
            parts.append(f'{shown}="{html.escape(str(value), quote=True)}"')
    opening = f'<{" ".join(parts)}>'
    if name in _VOID:
        return Markup(opening)
    return Markup(f'{opening}{join(children)}</{name}>')


def join(children: Iterable[Child]) -> Markup:
    """Children one after another, escaped where they are plain text."""
    parts: list[str] = []
    for child in children:
        if child is None:
            continue
        if isinstance(child, Markup):
            parts.append(child)
        elif isinstance(child, str):
            parts.append(html.escape(child, quote=False))
        elif isinstance(child, Iterable):
            parts.append(join(child))
        else:
            parts.append(html.escape(str(child), quote=False))
    return Markup(''.join(parts))


def embed_image(data: bytes, kind: str, alt: str) -> Markup:
    """An image inside the page.

    Args:
        data: Content of the file.
        kind: ``svg``, ``jpg`` or ``png``.
        alt: What it shows, for those who do not see it.
    """
    types = {'svg': 'image/svg+xml', 'jpg': 'image/jpeg', 'png': 'image/png'}
    text = base64.b64encode(data).decode('ascii')
    return element('img', src=f'data:{types[kind]};base64,{text}', alt=alt)


def make_table(
    header: Iterable[Child],
    rows: Iterable[Iterable[Child]],
    *,
    caption: str = '',
    class_: str | None = None,
) -> Markup:
    """A table whose first column names the rows; it scrolls where it is too wide."""
    return make_table_of(
        header, [make_row(row) for row in rows], caption=caption, class_=class_
    )


def make_row(cells: Iterable[Child], **attributes: str | None) -> Markup:
    """One row of a table; its first cell names it."""
    body = [
        element('td', cell) if column else element('th', cell, scope='row')
        for column, cell in enumerate(cells)
    ]
    return element('tr', body, **attributes)


def make_table_of(
    header: Iterable[Child],
    rows: Iterable[Child],
    *,
    caption: str = '',
    class_: str | None = None,
) -> Markup:
    """As :func:`make_table`, of rows that are elements already."""
    table = element(
        'table',
        element('caption', caption) if caption else None,
        element(
            'thead', element('tr', [element('th', h, scope='col') for h in header])
        ),
        element('tbody', rows),
        class_=class_,
    )
    return element('div', table, class_='scroll')


def make_page(title: str, style: str, body: Iterable[Child]) -> str:
    """A whole document that may load nothing, not even if it wanted to."""
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    head = element(
        'head',
        element('meta', charset='utf-8'),
        Markup(
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<meta name="color-scheme" content="light">'
        ),
        element('title', title),
        element('style', Markup(style)),
    )
    document = element('html', head, element('body', *body), lang='en')
    return f'<!DOCTYPE html>\n{document}\n'
