"""Escaping, and pages that may load nothing."""

import pytest

from mmmed.reporting.html import (
    Markup,
    element,
    embed_image,
    join,
    make_page,
    make_table,
)

ATTACK = '<script>alert("x")</script>&'


def test_text_is_escaped_and_markup_is_not() -> None:
    assert element('p', ATTACK) == (
        '<p>&lt;script&gt;alert("x")&lt;/script&gt;&amp;</p>'
    )
    assert (
        element('p', element('b', 'x'), 1, None, [0.5, 'y']) == '<p><b>x</b>10.5y</p>'
    )


def test_attributes_are_escaped() -> None:
    assert element('a', 'x', href='" onclick="y', class_=None) == (
        '<a href="&quot; onclick=&quot;y">x</a>'
    )
    assert element('img', alt='<', data_n=3) == '<img alt="&lt;" data-n="3">'


def test_markup_does_not_spread_to_text_it_is_joined_with() -> None:
    joined = join([Markup('<br>'), '<br>'])
    assert joined == '<br>&lt;br&gt;'
    assert isinstance(joined, Markup)
    # Ordinary string operations lose the mark, so that nothing slips through.
    assert not isinstance(Markup('<b>') + '<i>', Markup)


def test_table_names_its_rows_and_columns() -> None:
    table = make_table(['a', 'b'], [['r', ATTACK]], caption='what & why')
    assert '<th scope="col">a</th>' in table
    assert '<th scope="row">r</th><td>&lt;script' in table
    assert '<caption>what &amp; why</caption>' in table


def test_page_forbids_loading() -> None:
    page = make_page('a < b', 'p {}', [element('p', 'x')])
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert "default-src 'none'; img-src data:" in page
    assert '<title>a &lt; b</title>' in page
    assert 'width=device-width' in page


@pytest.mark.parametrize(('kind', 'mime'), [('jpg', 'jpeg'), ('svg', 'svg+xml')])
def test_images_are_inside_the_page(kind: str, mime: str) -> None:
    image = embed_image(b'abc', kind, 'what "it" shows')
    assert image.startswith(f'<img src="data:image/{mime};base64,YWJj"')
    assert 'alt="what &quot;it&quot; shows"' in image
