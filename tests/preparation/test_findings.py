import pytest

from mmmed.preparation import Finding, InputError
from mmmed.preparation.findings import SourceError, format_range, stop_if_strict


@pytest.mark.parametrize(
    ('numbers', 'text'),
    [
        ([], ''),
        ([7], '7'),
        ([1, 2, 3, 7], '1-3, 7'),
        ([9, 3, 2, 2, 10], '2-3, 9-10'),
        ([1, 3, 5], '1, 3, 5'),
    ],
)
def test_ranges(numbers, text):
    assert format_range(numbers) == text


def test_a_finding_reads_where_what_and_remedy():
    finding = Finding('a/b.jpg', 'is cut', 'fetch it again')
    assert str(finding) == 'a/b.jpg: is cut; fetch it again'
    assert finding.to_dict()['skipped'] is True


def test_strict_names_the_first_and_counts_the_rest():
    findings = [Finding(name, 'is cut', 'fetch it') for name in 'abc']
    stop_if_strict(findings, strict=False)
    stop_if_strict([], strict=True)
    with pytest.raises(InputError, match=r'^a: is cut; fetch it \(and 2 more\)'):
        stop_if_strict(findings, strict=True)


@pytest.mark.parametrize(
    ('text', 'problem', 'remedy'),
    [
        ('{path}: not readable (x; y); fetch it', 'not readable (x; y)', 'fetch it'),
        ('{path}: odd', 'odd', 'fetch it again'),
        ('no volume at {path}', 'no volume at {path}', 'fetch it again'),
    ],
)
def test_reader_errors_become_findings(tmp_path, text, problem, remedy):
    path = tmp_path / 'a.jpg'
    error = SourceError.from_reader(path, ValueError(text.format(path=path)))
    finding = error.to_finding(tmp_path)
    assert finding == Finding('a.jpg', problem.format(path=path), remedy)
