"""What may be skipped, what must be made again, what must not be touched."""

import json

import pytest

from mmmed.files import hash_file
from mmmed.inference.case_store import CaseStore, ConflictError, make_printable
from mmmed.inference.discovery import ScanCase

CLASSES = ('background', 'liver tumor', '../x')


@pytest.fixture
def store(tmp_path) -> CaseStore:
    case = ScanCase('p1', tmp_path / 'p1.nii.gz', '.nii.gz')
    return CaseStore(tmp_path / 'out', case, CLASSES, ('seg',))


def finish(store: CaseStore, settings='s', input_hash='i') -> None:
    for path in store.outputs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('mask')
    facts = {'settings_sha256': settings, 'input_sha256': input_hash}
    store.write_report('done', {**facts, 'outputs': store.hash_outputs()})


@pytest.mark.parametrize(
    ('kind', 'name'),
    [
        ('.nii', 'p1.nii.gz'),
        ('.nii.gz', 'p1.nii.gz'),
        ('.nrrd', 'p1.nrrd'),
        ('.mha', 'p1.mha'),
        ('.jpg', 'p1.png'),
        ('.tiff', 'p1.tif'),
        ('dicom', 'p1.nii.gz'),
        ('.dcm', 'p1.nii.gz'),
    ],
)
def test_masks_keep_the_format_where_it_fits_labels(kind, name, tmp_path) -> None:
    store = CaseStore(tmp_path, ScanCase('p1', tmp_path, kind), CLASSES, ('seg',))
    assert [store.name(path) for path in store.outputs] == [name]


def test_all_outputs_have_places_of_their_own(tmp_path) -> None:
    case = ScanCase('p1', tmp_path, 'dicom')
    store = CaseStore(tmp_path, case, CLASSES, ('seg', 'prob', 'dicom-seg'))
    assert [store.name(path) for path in store.outputs] == [
        'p1.nii.gz',
        'prob/liver_tumor/p1.nii.gz',
        'prob/_x/p1.nii.gz',
        'p1.dcm',
    ]


def test_finished_means_same_settings_same_input_same_files(store) -> None:
    assert not store.is_finished('s', 'i')
    finish(store)
    assert store.is_finished('s', 'i')
    assert not store.is_finished('s', 'another scan')
    store.mask_path.unlink()
    assert not store.is_finished('s', 'i')


def test_results_of_other_settings_are_not_replaced(store) -> None:
    finish(store, settings='old')
    with pytest.raises(ConflictError, match='another config'):
        store.check_settings('new')
    with pytest.raises(ConflictError, match='--overwrite'):
        store.is_finished('new', 'i')


def test_a_mask_corrected_by_hand_is_not_replaced(store) -> None:
    finish(store)
    store.mask_path.write_text('corrected by a radiologist')
    with pytest.raises(ConflictError, match='changed since'):
        store.is_finished('s', 'i')


def test_a_file_that_is_not_ours_is_not_replaced(store) -> None:
    store.out.mkdir()
    store.mask_path.write_text('somebody else')
    with pytest.raises(ConflictError, match='without a report'):
        store.is_finished('s', 'i')


@pytest.mark.parametrize('status', ['running', 'failed'])
def test_what_was_killed_or_failed_is_made_again(store, status) -> None:
    finish(store)
    report = json.loads(store.report_path.read_text())
    store.write_report(status, {**report, 'status': status})
    assert not store.is_finished('s', 'i')
    store.check_settings('other')


@pytest.mark.parametrize('text', ['', '{"status": "do', '[]', '\xff'])
def test_a_report_that_cannot_be_read_is_none(store, text) -> None:
    store.report_path.parent.mkdir(parents=True)
    store.report_path.write_bytes(text.encode('latin-1'))
    assert store.read_report() is None
    assert not store.is_finished('s', 'i')


def test_leftovers_are_removed_and_nothing_else(store) -> None:
    finish(store)
    ours = store.out / '.p1.nii.gz.abcdefgh.tmp'
    other = store.out / '.p10.nii.gz.abcdefgh.tmp'
    for path in (ours, other):
        path.write_text('half')
    store.remove_leftovers()
    assert not ours.exists()
    assert other.exists()
    assert store.hash_outputs() == {'p1.nii.gz': hash_file(store.mask_path)}


def test_bytes_that_are_no_text_become_text() -> None:
    value = {'a\udcff': ['b\udcfe', 1, None, ('c',)]}
    assert make_printable(value) == {'a\\udcff': ['b\\udcfe', 1, None, ['c']]}
