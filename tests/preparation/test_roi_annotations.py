import json

import pytest

from mmmed.preparation.roi_annotations import (
    check_labels,
    parse_label,
    parse_literal,
    read_annotations,
)

# As the folders of the source have it.
LEGACY = {
    'id': '0',
    'tag': 'RJPD',
    'label': '0',
    'label2': '2',
    'mvi': '',
    'nifti_files': "['QSM.nii.gz', 'NM.nii.gz']",
    'phy_loc_xyz': '[[99.7, -100.7, 46.7], [99.3, -100.5, 46.6]]',
    'np_loc_zyx': '[[23, 151, 149], [23, 151, 149]]',
    'distance': '16.7 mm',
}


def write(folder, value):
    path = folder / 'annotations.json'
    path.write_text(json.dumps(value))
    return path


def test_text_and_json_lists_read_alike(tmp_path):
    native = {
        **LEGACY,
        'nifti_files': ['QSM.nii.gz', 'NM.nii.gz'],
        'phy_loc_xyz': [[99.7, -100.7, 46.7], [99.3, -100.5, 46.6]],
        'distance': 16.7,
        'label': 0,
        'mvi': None,
    }
    one, two = read_annotations(write(tmp_path, {'0': LEGACY, '1': native}))
    assert (one.files, one.centers_lps, one.size_mm) == (
        ('QSM.nii.gz', 'NM.nii.gz'),
        ((99.7, -100.7, 46.7), (99.3, -100.5, 46.6)),
        16.7,
    )
    assert (two.files, two.centers_lps, two.size_mm) == (
        one.files,
        one.centers_lps,
        16.7,
    )
    targets = ['label', 'label2', 'mvi', 'vetc']
    expected = {'label': 0, 'label2': 2, 'mvi': None, 'vetc': None}
    assert check_labels((one, two), targets) == {'0': expected, '1': expected}


@pytest.mark.parametrize('distance', [None, '', '  '])
def test_what_may_be_missing(tmp_path, distance):
    record = {'nifti_files': ['t2.nii.gz'], 'distance': distance}
    (found,) = read_annotations(write(tmp_path, {'7': record}))
    assert (found.roi_id, found.size_mm, found.centers_lps) == ('7', None, ())


ATTACKS = [
    "__import__('os').system('touch ran')",
    "[__import__('pathlib').Path('ran').touch()]",
    "open('ran', 'w')",
    "['a.nii.gz' for _ in (open('ran', 'w'),)]",
    "(lambda: open('ran', 'w'))()",
    '[1, 2',
    '[' * 5000 + ']' * 5000,
    '9' * 70000,
    '{"a": 1}',
    "b'x'",
    '[[[[1]]]]',
]


@pytest.mark.parametrize('key', ['nifti_files', 'phy_loc_xyz'])
@pytest.mark.parametrize('text', ATTACKS, ids=range(len(ATTACKS)))
def test_a_program_is_refused_and_nothing_runs(tmp_path, monkeypatch, key, text):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, {'0': {**LEGACY, key: text}})
    with pytest.raises(ValueError, match="ROI '0': "):
        read_annotations(path)
    assert not (tmp_path / 'ran').exists()


@pytest.mark.parametrize(
    ('key', 'value', 'text'),
    [
        ('nifti_files', ['../../etc/x.nii.gz'], 'expected a plain file name'),
        ('nifti_files', ['/tmp/x.nii.gz'], 'expected a plain file name'),
        ('nifti_files', ['x.exe'], 'expected a plain file name'),
        ('nifti_files', ['a.nii', 'a.nii'], 'names a file twice'),
        ('nifti_files', [1], 'expected a list of file names'),
        ('phy_loc_xyz', [[1, 2, 3]], '1 places for 2 files'),
        ('phy_loc_xyz', [[1, 2], [1, 2]], 'expected \\[x, y, z\\]'),
        ('distance', 'large', 'expected such as "16.7 mm"'),
        ('distance', '-3 mm', 'expected such as "16.7 mm"'),
    ],
)
def test_a_wrong_entry_says_what_was_expected(tmp_path, key, value, text):
    with pytest.raises(ValueError, match=text):
        read_annotations(write(tmp_path, {'0': {**LEGACY, key: value}}))


@pytest.mark.parametrize('value', [[], 3, {'0': 'x'}])
def test_another_file_is_refused(tmp_path, value):
    with pytest.raises(ValueError, match='expected'):
        read_annotations(write(tmp_path, value))


@pytest.mark.parametrize(
    ('value', 'expected'),
    [('3', 3), (3, 3), (3.0, 3), (' 2.0 ', 2), ('-1', None), (-1, None), ('NaN', None)],
)
def test_labels(value, expected):
    assert parse_label(value) == expected


@pytest.mark.parametrize('value', ['HCC', 1.5, '-2', [1], '1e9'])
def test_a_label_that_is_none_is_refused(value):
    with pytest.raises(ValueError, match='no class index'):
        parse_label(value)


def test_literals_keep_their_values():
    assert parse_literal("[1, 2.5, 'a']") == [1, 2.5, 'a']
    assert parse_literal([['a'], (1,)]) == [['a'], (1,)]
