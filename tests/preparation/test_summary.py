import pytest

from mmmed.preparation.summary import (
    count_cases,
    count_parts,
    format_findings,
    format_parts,
    format_share,
)
from mmmed.structures import Case


def make_case(patient, index, split, fold, foreground):
    name = f'{patient}_{index}'
    return Case(
        name,
        patient,
        index,
        f'images/{split}/{name}.png',
        f'masks/{split}/{name}.png',
        split,
        fold,
        5,
        8,
        None,
        foreground,
        foreground > 0,
        {'img': 'a' * 64, 'seg': 'b' * 64},
    )


CASES = [
    make_case('a', 1, 'train', 0, 4),
    make_case('a', 2, 'train', 0, 0),
    make_case('b', 1, 'train', 1, 0),
    make_case('c', 1, 'val', 1, 8),
]


def test_counts_by_hand():
    assert count_cases(CASES) == {
        'patients': 3,
        'positive_patients': 2,
        'slices': 4,
        'positive_slices': 2,
        'pixels': 160,
        'foreground_pixels': 12,
        'foreground_share': 0.075,
    }


def test_nothing_has_no_share():
    assert count_cases([])['foreground_share'] is None


def test_the_table_lines_up():
    lines = format_parts(count_parts(CASES, 2))
    assert len({len(line) for line in lines}) == 1
    assert lines[1].split() == ['train', '2', '1', '3', '1', '3.3333', '%']
    assert lines[2].split() == ['val', '1', '1', '1', '1', '20.0000', '%']
    assert lines[5].split() == ['fold', '1', '2', '1', '2', '1', '10.0000', '%']


@pytest.mark.parametrize(
    ('share', 'text'), [(None, '-'), (0.0, '0.0000 %'), (0.0007, '0.0700 %')]
)
def test_shares(share, text):
    assert format_share(share) == text


def test_findings_are_grouped_and_long_lists_cut():
    findings = [
        {'path': f'{i}', 'problem': 'is cut', 'remedy': 'fetch', 'skipped': i > 0}
        for i in range(20)
    ]
    lines = format_findings(findings)
    assert lines[0] == 'skipped: 19'
    assert lines[1] == '  1: is cut; fetch'
    assert '  ... and 7 more, all in summary.json' in lines
    assert lines[-2:] == ['worth knowing: 1', '  0: is cut; fetch']
    assert format_findings([]) == []
