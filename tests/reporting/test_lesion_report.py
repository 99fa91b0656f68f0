import pytest

from mmmed.reporting.lesion_report import (
    LesionContent,
    LesionLevel,
    write_lesion_report,
)

STRATA = [
    {'name': '≤ 5,000 mm³', 'above': 0.0, 'up_to': 5000, 'count': 1},
    {'name': '> 5,000 mm³', 'above': 5000, 'up_to': None, 'count': 3},
]
SUBJECTS = [
    {'site': site, 'volume_mm3': volume, 'number_of_lesion': 1}
    for site, volume in (('R001', 10.0), ('R001', 6000.0), ('<b>', 9000.0))
]


def make(**changes) -> LesionContent:
    values = {
        'dataset': 'atlas',
        'semi_synthetic': False,
        'levels': [LesionLevel('volume', [10.0, 6000.0, 9000.0], 'mm³', STRATA, 5)],
        'profiles': {'axial': ([0, 1, 2], [0.0, 1.0, 0.5])},
        'subjects': SUBJECTS,
        'files': {'lesions_volume.csv': 'one row a subject'},
    }
    return LesionContent(**(values | changes))


def test_page_says_the_numbers(tmp_path):
    page = write_lesion_report(make(), tmp_path / 'out')
    text = page.read_text()
    assert '3 labelled subjects, 3 with a lesion: median 6,000 mm³' in text
    assert '4 of 5 subjects show a lesion (80.0%).' in text
    assert '<td>3</td><td>75.0%</td>' in text
    assert '<td>2</td><td>3,005</td><td>10 to 6,000</td>' in text
    assert 'href="lesions_volume.csv"' in text
    assert 'semi-synthetic' not in text
    assert sorted(path.name for path in page.parent.iterdir()) == [
        'lesions.html', 'lesions_profile.png', 'lesions_volume.png',
    ]  # fmt: skip


def test_names_from_data_are_text(tmp_path):
    text = write_lesion_report(make(), tmp_path).read_text()
    assert '&lt;b&gt;' in text
    assert 'src="http' not in text


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'semi_synthetic': True}, 'The images are semi-synthetic'),
        ({'profiles': {}}, 'Subjects lie on different grids'),
        ({'subjects': []}, '0 labelled subjects, 0 with a lesion.'),
        (
            {'subjects': [dict(row, location='cortical') for row in SUBJECTS]},
            'Locations',
        ),
    ],
)
def test_what_a_reader_must_know(tmp_path, changes, words):
    assert words in write_lesion_report(make(**changes), tmp_path).read_text()
