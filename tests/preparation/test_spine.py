"""Spinal cord MRI to a manifest: layouts, patients, masks, and what is refused."""

import json

import numpy as np
import pytest

from mmmed.functional.packed_bits import unpack_mask
from mmmed.io import write_volume
from mmmed.preparation import InputError
from mmmed.preparation.spine import SpinePreparer
from mmmed.preparation.spine_conversion import binarize_mask
from mmmed.structures import Manifest, Volume

SHAPE = (6, 9, 5)
SPACING = (2.0, 0.5, 0.75)
# Array axes towards posterior, superior, right, as SCT's sagittal scans have them.
TURNED = np.array([[0, 0, 0.75, 0], [-2, 0, 0, 0], [0, 0.5, 0, 0], [0, 0, 0, 1.0]])
SHIFT = np.array([[0, 0, 0, 3.0], *[[0] * 4] * 3])
BOX = (slice(1, 5), slice(3, 6), slice(2, 4))
POINTER = '/annex/objects/SHA256E-s17100000--0123456789abcdef.nii.gz\n'


def write(path, array, spacing=SPACING, affine=TURNED):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_volume(Volume(array, spacing, affine), path)


def make_image(seed):
    return np.random.default_rng(seed).integers(1, 900, SHAPE).astype(np.int16)


def make_mask(box=BOX):
    mask = np.zeros(SHAPE, np.uint8)
    mask[box] = 1
    return mask


@pytest.fixture
def raw(tmp_path):
    """Two BIDS subjects and one person in SCT's folders, with a lesion."""
    root = tmp_path / 'raw'
    labels = root / 'derivatives' / 'labels'
    for seed, name in enumerate(('sub-a01', 'sub-b02')):
        for kind in ('T1w', 'T2w'):
            write(root / name / 'anat' / f'{name}_{kind}.nii.gz', make_image(seed))
            new = labels / name / 'anat' / f'{name}_{kind}_label-SC_seg.nii.gz'
            old = labels / name / 'anat' / f'{name}_{kind}_seg-manual.nii.gz'
            write(new if name == 'sub-a01' else old, make_mask())
        write(
            labels / name / 'anat' / f'{name}_T2w_label-discs_dlabel.nii', make_mask()
        )
    for seed, stem in enumerate(('t2/t2_fake_lesion', 't2s/t2s'), 7):
        write(root / f'{stem}.nii', make_image(seed))
        write(root / f'{stem}_sc_seg.nii', make_mask())
    inner = (slice(1, 3), slice(4, 5), slice(2, 5))
    write(root / 't2' / 't2_fake_lesion_lesion_seg.nii', make_mask(inner))
    return root


def prepare(raw, out, **options):
    options = {'num_folds': 2, **options}
    outcome = SpinePreparer(**options).prepare(raw, out, quiet=True)
    return outcome, Manifest.read(out / 'manifest.json')


def test_layouts_names_patients_and_counts(raw, tmp_path):
    outcome, manifest = prepare(raw, tmp_path / 'out')
    assert outcome.exit_code == 0
    cases = {case.case_id: case for case in manifest.cases}
    assert list(cases) == [
        'sub-a01_T1w',
        'sub-a01_T2w',
        'sub-b02_T1w',
        'sub-b02_T2w',
        't2-t2_fake_lesion',
        't2s-t2s',
    ]
    patients = ['sub-a01', 'sub-a01', 'sub-b02', 'sub-b02', 'unnamed', 'unnamed']
    assert [case.patient_id for case in cases.values()] == patients
    assert {case.foreground_voxels for case in cases.values()} == {4 * 3 * 2}
    assert cases['t2s-t2s'].extra['targets'] == {
        'anatomy': 'spine',
        'location': None,
        'sequence': 'T2starw',
    }
    assert cases['t2s-t2s'].extra['targets_from']['anatomy'] == 'cord mask'
    intensity = {'rule': 'percentile', 'low': 1, 'high': 99, 'nonzero': True}
    assert manifest.metainfo['intensity'] == {**intensity, 'bits': 16}
    assert manifest.metainfo['layouts'] == {'bids': 4, 'sct': 2}
    problems = [finding['problem'] for finding in outcome.summary['findings']]
    assert any(p.startswith('2 image(s) without a subject') for p in problems)
    assert any(p.startswith('2 label(s) of other structures') for p in problems)


def test_voxels_are_oriented_and_scaled_and_nothing_else(raw, tmp_path):
    _, manifest = prepare(raw, tmp_path / 'out')
    case = next(c for c in manifest.cases if c.case_id == 't2s-t2s')
    # (posterior, superior, right) becomes (superior, anterior, right).
    assert (case.shape, case.spacing) == ((9, 6, 5), (0.5, 2.0, 0.75))
    image = np.load(tmp_path / 'out' / case.img_paths['image'], allow_pickle=False)
    raw_image = make_image(8).transpose(1, 0, 2)[:, ::-1].astype(np.float64)
    low, high = np.percentile(raw_image, (1, 99))
    share = np.clip((raw_image - low) / (high - low), 0, 1)
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(image, np.floor(1 + share * 65534 + 0.5))
    # The box lies at 1..4 of 0..5 from the back, so that it is its own mirror image.
    assert case.extra['lesion_pixels'] == {
        'axial': [0, 0, 0, 8, 8, 8, 0, 0, 0],
        'coronal': [0, 6, 6, 6, 6, 0],
        'sagittal': [0, 0, 12, 12, 0],
    }


def test_lesions_have_the_cord_beside_them(raw, tmp_path):
    out = tmp_path / 'out'
    outcome, manifest = prepare(raw, out, target='lesion')
    case = next(c for c in manifest.cases if c.case_id == 't2-t2_fake_lesion')
    assert manifest.metainfo['classes'] == ['background', 'lesion']
    assert dict(case.img_paths).keys() == {'image'}
    cord = np.load(out / case.extra['cord_path'], allow_pickle=False)
    assert unpack_mask(cord, case.shape).sum() == 24
    # Two of its six voxels are at 4 towards the right, where the cord is not.
    assert (case.foreground_voxels, case.extra['voxels_outside_cord']) == (6, 2)
    assert outcome.summary['voxels_outside_cord'] == {'t2-t2_fake_lesion': 2}
    assert case.extra['cord_pixels']['sagittal'] == [0, 0, 12, 12, 0]
    assert sum(case.positive for case in manifest.cases) == 1
    assert len(outcome.summary['empty_masks']) == 5
    with pytest.raises(InputError, match='1 usable patient'):
        prepare(raw, tmp_path / 'b', target='lesion', unmarked='skip')


def test_the_table_goes_before_names_and_names_persons(raw, tmp_path):
    table = tmp_path / 'targets.csv'
    table.write_text(
        'path,anatomy,location,sequence,patient\n'
        't2,,thoracic,,\n'
        't2/t2_fake_lesion.nii,spine,cervical,T1w,p7\n'
        't2s,,,,p8\n',
        encoding='utf-8',
    )
    first, manifest = prepare(raw, tmp_path / 'out', targets=table)
    case = next(c for c in manifest.cases if c.case_id == 't2-t2_fake_lesion')
    assert case.patient_id == 'p7'
    assert case.extra['targets'] == {
        'anatomy': 'spine',
        'location': 'cervical',
        'sequence': 'T1w',
    }
    assert len({c.patient_id for c in manifest.cases}) == 4
    again, _ = prepare(raw, tmp_path / 'out', targets=table, num_folds=2)
    assert (first.status, again.status) == ('written', 'unchanged')
    (raw / 'targets.csv').write_text('path,location\nsub-a01,lumbar\n')
    told, manifest = prepare(raw, tmp_path / 'b')
    assert told.summary['targets_file'] == 'targets.csv'
    assert manifest.cases[0].extra['targets']['location'] == 'lumbar'
    table.write_text('path,location\nt3,lumbar\n', encoding='utf-8')
    with pytest.raises(InputError, match='no image at t3'):
        prepare(raw, tmp_path / 'out', targets=table)


@pytest.mark.parametrize(
    ('text', 'match'),
    [
        ('path,location\nt2,neck\n', "line 2: location is 'neck'"),
        ('file,location\nt2,lumbar\n', 'columns file, location, expected path'),
        ('path,location\nt2,lumbar\nt2,lumbar\n', 'several lines'),
    ],
)
def test_a_table_that_is_wrong_is_named(text, match, tmp_path):
    (tmp_path / 't.csv').write_text(text, encoding='utf-8')
    with pytest.raises(InputError, match=match):
        SpinePreparer(targets=tmp_path / 't.csv')


def test_what_cannot_be_used_is_named_and_left_out(raw, tmp_path):
    note = raw / 'sub-c03' / 'anat' / 'sub-c03_T2w.nii.gz'
    note.parent.mkdir(parents=True)
    note.write_text(POINTER, encoding='ascii')
    gone = raw / 'sub-d04' / 'anat' / 'sub-d04_T2w.nii.gz'
    gone.parent.mkdir(parents=True)
    gone.symlink_to('../../.git/annex/objects/zz/SHA256E-s9.nii.gz')
    write(raw / 'dmri' / 'dmri.nii', np.stack([make_image(1), make_image(2)]))
    write(raw / 'mt' / 'mt0.nii', make_image(3))
    write(raw / 'mt' / 'mt0_seg.nii', make_mask(), affine=TURNED + SHIFT)
    outcome, manifest = prepare(raw, tmp_path / 'out')
    assert (outcome.exit_code, len(manifest.cases)) == (3, 6)
    found = {
        finding['path']: f'{finding["problem"]}; {finding["remedy"]}'
        for finding in outcome.summary['findings']
        if finding['skipped']
    }
    for path in (note, gone):
        assert 'git annex get' in found[path.relative_to(raw).as_posix()]
    assert '4-D image' in found['dmri/dmri.nii']
    assert 'resample' in found['mt/mt0_seg.nii']
    assert len(found) == 4


def test_masks_of_shares_are_cut_at_a_half_and_others_above_zero():
    soft, values = binarize_mask(np.array([[[0.0, 0.25, 0.5, 1.0]]]))
    assert soft.tolist() == [[[False, False, True, True]]]
    assert values == [0.0, 0.25, 0.5, 1.0]
    labels, values = binarize_mask(np.array([[[0, 1, 2]]]))
    assert (labels.sum(), values) == (2, [0, 1, 2])
    assert binarize_mask(np.array([[[0, 255]]]))[1] == []
    with pytest.raises(ValueError, match='below 0'):
        binarize_mask(np.array([[[-1, 1]]]))


def test_the_first_folder_is_the_patient_where_one_says_so(tmp_path):
    for person in ('p1', 'p2', 'p3'):
        write(tmp_path / 'raw' / person / 't2' / 't2.nii', make_image(ord(person[1])))
        write(tmp_path / 'raw' / person / 't2' / 't2_seg.nii', make_mask())
    with pytest.raises(InputError, match='1 usable patient'):
        prepare(tmp_path / 'raw', tmp_path / 'out')
    _, manifest = prepare(tmp_path / 'raw', tmp_path / 'out', patient_of='folder')
    assert [case.patient_id for case in manifest.cases] == ['p1', 'p2', 'p3']


@pytest.mark.data
def test_real_cords_have_the_known_numbers_of_voxels(sample_data, tmp_path):
    raw = sample_data / 'spinal_cord'
    if not raw.is_dir():
        pytest.skip('no spinal_cord in the sample data')
    outcome, manifest = prepare(raw, tmp_path / 'out', target='lesion')
    voxels = {c.case_id: c.extra['cord_voxels'] for c in manifest.cases}
    assert {k: voxels[k] for k in ('t1-t1w', 't2-t2', 't2-t2_fake_lesion')} == {
        't1-t1w': 5437,
        't2-t2': 4275,
        't2-t2_fake_lesion': 7335,
    }
    (lesion,) = (case for case in manifest.cases if case.positive)
    assert lesion.foreground_voxels * np.prod(lesion.spacing) == pytest.approx(
        83.45612, abs=1e-4
    )
    assert lesion.extra['voxels_outside_cord'] == 0
    assert json.dumps(outcome.summary['voxels_outside_cord']) == '{}'
