"""Published numbers: shown as they are, with protocol and source."""

from pathlib import Path

import pytest

from mmmed.files import write_json_atomic
from mmmed.reporting.study_page import render_published
from mmmed.reporting.study_published import NOTHING, read_published
from mmmed.reporting.study_spec import read_study_spec

PROJECT = Path(__file__).resolve().parents[2] / 'projects/stroke_atlas'
TABLE = {
    'beside': 'models',
    'title': 'networks',
    'columns': ['network', 'Dice'],
    'rows': [['X-Net', 0.487]],
    'protocol': '229 scans.',
    'sources': ['A'],
}


def write(folder, **changes):
    path = folder / 'published.json'
    value = {'schema_version': 1, 'sources': {'A': 'Author 2019'}}
    write_json_atomic(path, value | {'tables': [TABLE | changes]})
    return path


def test_table_is_shown_with_its_protocol(tmp_path):
    (table,) = read_published(write(tmp_path)).tables
    assert render_published(table, '###') == [
        '### Published: networks',
        '',
        '| network | Dice |',
        '| --- | ---: |',
        '| X-Net | 0.487 |',
        '',
        'Protocol: 229 scans. Source: [A].',
        '',
    ]


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'sources': []}, 'unknown or no sources'),
        ({'sources': ['B']}, r"sources \['B'\]"),
        ({'rows': [['X-Net']]}, 'a row has 1 cells, expected 2'),
        ({'rows': None}, 'not a file of published numbers'),
    ],
)
def test_mistakes_are_refused(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        read_published(write(tmp_path, **changes))


def test_without_a_file_there_is_nothing(tmp_path):
    assert read_published(None) == NOTHING
    with pytest.raises(FileNotFoundError, match='no file of published numbers'):
        read_published(tmp_path / 'published.json')


def test_stroke_project_is_consistent():
    spec = read_study_spec(PROJECT / 'results.json')
    published = read_published(spec.published)
    names = {table.name for table in spec.tables}
    assert {table.beside for table in published.tables} <= {*names, ''}
    used = {name for table in published.tables for name in table.sources}
    assert used == set(published.sources)
