import pytest

from mmmed.evaluation.folder_pairs import find_masks, find_pairs, pair_masks


@pytest.fixture
def touch(tmp_path):
    def make(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return make


def test_a_case_is_its_file_name_without_the_suffix(touch):
    folder = touch(
        'b.1.nii.gz', 'a.NRRD', 'c.mha', 'd.png', 'e.nii', 'f.dcm', 'run.json',
        'cases.csv', '.g.nii.gz', 'prob/lesion/a.nii.gz', 'cases/a.json',
    )  # fmt: skip
    found = find_masks(folder)
    assert list(found) == ['a', 'b.1', 'c', 'd', 'e', 'f']
    assert found['a'] == folder / 'a.NRRD'


@pytest.mark.parametrize(
    ('pattern', 'expected'),
    [
        ('{case}_mask', ['s1', 's2']),
        ('{case}_m*', ['s1', 's2']),
        ('{case}/seg', ['s1']),
        ('{case}/{case}-seg.nii.gz', ['s3']),
        ('sub-{case}/ses-*/anat/mask.nii', ['s4']),
        ('{case}_MASK.NII', ['s2']),
    ],
)
def test_patterns(touch, pattern, expected):
    folder = touch(
        's1_mask.nii.gz', 's2_mask.nii', 's1/seg.nrrd', 's1/seg.txt',
        's3/s3-seg.nii.gz', 's3/s4-seg.nii.gz', 'sub-s4/ses-1/anat/mask.nii',
        '.hidden/seg.nii', 's1/deep/seg.nii',
    )  # fmt: skip
    assert list(find_masks(folder, pattern=pattern)) == expected


@pytest.mark.parametrize('names', [('a.nii.gz', 'a.nrrd'), ('a.nii', 'A.nii')])
def test_two_files_of_a_case_are_refused(touch, names):
    folder = touch(*names)
    with pytest.raises(ValueError, match=r"are both case '[aA]'; remove one"):
        find_masks(folder)


def test_two_formats_of_one_case_are_told_apart_by_a_pattern(touch):
    folder = touch('a.nii.gz', 'a.dcm', 'b.nii.gz')
    assert list(find_masks(folder, pattern='{case}.nii.gz')) == ['a', 'b']


@pytest.mark.parametrize('pattern', ['case', '**/{case}', ''])
def test_a_pattern_needs_a_case(touch, pattern):
    with pytest.raises(ValueError, match=r'expected a path with \{case\}'):
        find_masks(touch('a.nii'), pattern=pattern)


def test_an_empty_or_absent_folder(touch):
    folder = touch('a/seg.nii')
    with pytest.raises(ValueError, match='need a pattern such'):
        find_masks(folder)
    with pytest.raises(FileNotFoundError, match='does not exist'):
        find_masks(folder / 'b')


def test_regular_expressions_have_no_power_here(touch):
    folder = touch('a+b.nii', 'aab.nii', 'x_(1).nii')
    assert list(find_masks(folder, pattern='{case}+b')) == ['a']
    assert list(find_masks(folder, pattern='x_({case})')) == ['1']


def test_missing_predictions_are_pairs_and_missing_references_are_refused(tmp_path):
    preds = {name: tmp_path / f'p{name}' for name in 'ab'}
    targets = {name: tmp_path / f't{name}' for name in 'bc'}
    with pytest.raises(ValueError, match='1 predictions have no reference: a;'):
        pair_masks(preds, targets)
    pairing = pair_masks(preds, targets, allow_missing_reference=True)
    assert [(p.case_id, p.pred) for p in pairing.pairs] == [
        ('b', tmp_path / 'pb'),
        ('c', None),
    ]
    assert pairing.missing_predictions == ('c',)
    assert pairing.missing_references == ('a',)


def test_names_that_never_match_are_a_mistake_not_misses(touch):
    folder = touch('p/x_pred.nii', 'r/x.nii')
    with pytest.raises(ValueError, match=r'predictions are called x_pred, ref'):
        find_pairs(folder / 'p', folder / 'r', allow_missing_reference=True)
    pairing = find_pairs(folder / 'p', folder / 'r', pred_pattern='{case}_pred')
    assert pairing.pairs[0].case_id == 'x'


def test_two_files_are_a_pair_whatever_they_are_called(touch):
    folder = touch('p.nii.gz', 'r.nrrd')
    (pair,) = find_pairs(folder / 'p.nii.gz', folder / 'r.nrrd').pairs
    assert (pair.case_id, pair.pred) == ('r', folder / 'p.nii.gz')


def test_names_that_are_no_text(tmp_path):
    (tmp_path / b'a\xff.nii'.decode('utf-8', 'surrogateescape')).touch()
    (name,) = find_masks(tmp_path)
    assert name == 'a\\udcff'
