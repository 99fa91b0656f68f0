"""Whatever folders are called, names of results are safe, unique, and theirs alone."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from mmmed.inference.cascade.series_names import SeriesPlace, name_series

# Names that meet: alike but for case, with separators of names, reserved, hidden.
STEPS = st.sampled_from(
    ['a', 'A', 'a_b', 'b', 'sub-1', 'sub-1_T2w', 'run.json', '-x', 'é', 'x:y', 'a~b']
)


@settings(max_examples=60)
@given(
    st.lists(
        st.lists(STEPS, min_size=1, max_size=4).map(tuple), unique=True, max_size=8
    )
)
def test_names_are_unique_and_safe(steps):
    places = [
        SeriesPlace(Path(*parts[:-1]) / f'{parts[-1]}{suffix}', suffix, ())
        for parts in steps
        for suffix in ('.nii', '.nii.gz')
    ]
    named = name_series(places, 'input')
    assert [place for place, _, _ in named] == places
    folders = [f'{patient}/{name}'.casefold() for _, patient, name in named]
    assert len(set(folders)) == len(folders)
    for _, patient, name in named:
        for text in (patient, name):
            assert not set(text) & set('/\\:*?"<>|')
            assert text[0] not in '.-~'
        assert patient.casefold() != 'run.json'


def test_patients_are_never_merged():
    paths = ['a_b/sub-1/anat/x.nii', 'a/b/sub-1/anat/x.nii', 'a/sub-1/x.nii']
    places = [SeriesPlace(Path(path), '.nii', ()) for path in paths]
    patients = [patient for _, patient, _ in name_series(places, 'input')]
    assert len(set(patients)) == 3
    assert patients[2] == 'a_sub-1'
    (lone,) = name_series([SeriesPlace(Path(), 'pictures', ())], 'exam 3')
    assert lone[1:] == ('exam 3', 'exam 3')
