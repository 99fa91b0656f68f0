import json
import shutil

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from mmmed.files import hash_file
from mmmed.io import read_image, read_label, write_image
from mmmed.phantoms import make_cohort, write_jpeg_release, write_nifti_release
from mmmed.preparation import CraniumPreparer, InputError
from mmmed.registry import PREPARERS
from mmmed.structures import Manifest

AREAS = {'049_2': 80, '051_1': 36, '051_3': 120, '053_3': 40, '054_1': 81}


def prepare(raw, out, *, run=None, **options):
    preparer = CraniumPreparer(**({'num_folds': 3} | options))
    return preparer.prepare(raw, out, **({'quiet': True} | (run or {})))


def cases_of(out):
    return {case.case_id: case for case in Manifest.read(out / 'manifest.json').cases}


def snapshot(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }


@pytest.fixture
def out(tmp_path):
    return tmp_path / 'data' / 'cranium'


def find_skipped(outcome):
    return {
        f['path']: f['problem'] for f in outcome.summary['findings'] if f['skipped']
    }


def find_notes(outcome):
    findings = outcome.summary['findings']
    return {f['path']: f['problem'] for f in findings if not f['skipped']}


def test_it_is_registered():
    assert PREPARERS.get('cranium') is CraniumPreparer


def test_every_slice_is_there_with_its_lesion(raw, out):
    outcome = prepare(raw.root, out)
    assert outcome.status == 'written'
    assert outcome.exit_code == 0
    cases = cases_of(out)
    assert len(cases) == 18
    assert {i: c.foreground_pixels for i, c in cases.items() if c.positive} == AREAS
    for case in cases.values():
        assert (case.height, case.width, case.spacing) == (40, 48, None)
        label = read_label(out / case.seg_map_path)
        assert label.dtype == np.uint8
        assert set(np.unique(label)) <= {0, 1}
        assert int(label.sum()) == case.foreground_pixels
        assert hash_file(out / case.img_path) == case.sha256['img']
        assert hash_file(out / case.seg_map_path) == case.sha256['seg']


def test_images_are_grey_and_unchanged_after_decoding(raw, out):
    prepare(raw.root, out)
    for case in cases_of(out).values():
        image = Image.open(out / case.img_path)
        assert image.mode == 'L'
        decoded = np.asarray(Image.open(raw.brain(case.patient_id, case.slice_index)))
        np.testing.assert_array_equal(np.asarray(image), decoded[..., 0])


def test_the_folder_holds_what_the_manifest_names_and_nothing_else(raw, out):
    prepare(raw.root, out)
    expected = {'manifest.json', 'summary.json'}
    for case in cases_of(out).values():
        assert case.img_path == f'images/{case.split}/{case.case_id}.png'
        assert case.seg_map_path == f'masks/{case.split}/{case.case_id}.png'
        expected |= {case.img_path, case.seg_map_path}
    assert set(snapshot(out)) == expected
    assert [path.name for path in out.parent.iterdir()] == ['cranium']


def test_columns_of_the_table_and_sources_are_kept(raw, out):
    prepare(raw.root, out)
    case = cases_of(out)['049_2']
    assert case.extra['findings'] == {
        'intraventricular': False,
        'intraparenchymal': False,
        'subarachnoid': False,
        'epidural': True,
        'subdural': False,
    }
    assert case.extra['fracture'] is True
    assert case.extra['source'] == 'Patients_CT/049/brain/2.jpg'
    assert cases_of(out)['049_1'].extra['fracture'] is False


def test_metainfo_says_how_it_was_made(raw, out):
    prepare(raw.root, out, seed=4, val_ratio=0.4)
    metainfo = Manifest.read(out / 'manifest.json').metainfo
    expected = {
        'schema_version': 1,
        'dataset': 'cranium',
        'task': 'segmentation',
        'classes': ['background', 'hemorrhage'],
        'channels': 1,
        'channel_names': ['brain'],
        'window': 'brain',
        'mask_threshold': 127,
        'release': 'jpeg',
        'seed': 4,
        'val_ratio': 0.4,
        'num_folds': 3,
    }
    assert {name: metainfo[name] for name in expected} == expected


def test_summary_counts_by_hand(raw, out):
    summary = prepare(raw.root, out, val_patients=['49', '050']).summary
    assert summary == json.loads((out / 'summary.json').read_text())
    assert summary['splits']['val'] == {
        'patients': 2,
        'positive_patients': 1,
        'slices': 6,
        'positive_slices': 1,
        'pixels': 6 * 40 * 48,
        'foreground_pixels': 80,
        'foreground_share': 80 / (6 * 40 * 48),
    }
    assert summary['splits']['all']['foreground_pixels'] == sum(AREAS.values())
    assert [fold['patients'] for fold in summary['folds']] == [2, 2, 2]
    assert summary['subtypes']['epidural'] == {'train': 4, 'val': 1}
    assert summary['subtypes']['fracture'] == {'train': 4, 'val': 1}
    assert summary['table'] == {'slices': 18, 'positive_slices': 5, 'patients': 6}
    assert summary['expected'] == {
        'slices': 2501,
        'positive_slices': 318,
        'patients': 82,
    }
    assert summary['absent']['slices'] == 0
    masks = summary['masks']
    assert masks['masks'] == 5
    assert masks['pixels'] == 5 * 40 * 48
    in_between = 0
    for path in raw.images.rglob('*_Seg.jpg'):
        grey = np.asarray(Image.open(path))
        in_between += int(((grey > 0) & (grey < 255)).sum())
    assert masks['in_between_pixels'] == in_between > 0


def test_patients_are_never_divided_and_sides_hold_both_kinds(raw, out):
    for seed in range(5):
        prepare(raw.root, out, seed=seed, val_ratio=0.34, run={'overwrite': True})
        cases = cases_of(out).values()
        train = {c.patient_id for c in cases if c.split == 'train'}
        val = {c.patient_id for c in cases if c.split == 'val'}
        assert not train & val
        assert len(val) == 2
        for side in ('train', 'val'):
            assert {c.positive for c in cases if c.split == side} == {True, False}


def test_chosen_validation_patients_are_exactly_those(raw, out):
    prepare(raw.root, out, val_patients=['51', '053'])
    cases = cases_of(out).values()
    assert {c.patient_id for c in cases if c.split == 'val'} == {'051', '053'}
    assert Manifest.read(out / 'manifest.json').metainfo['val_ratio'] is None


@pytest.mark.parametrize('depth', ['.', 'a/b/c', 'Patients_CT'])
def test_the_data_is_found_at_any_depth(raw, out, tmp_path, depth):
    if depth == 'Patients_CT':
        start = raw.images
    else:
        start = tmp_path / 'deep'
        shutil.copytree(raw.root, start / depth)
    assert prepare(start, out).summary['splits']['all']['slices'] == 18
    assert prepare(start, out).summary['table']['slices'] == 18


def test_bone_window(raw, out):
    prepare(raw.root, out, window='bone')
    image = read_image(out / cases_of(out)['049_2'].img_path)
    decoded = np.asarray(Image.open(raw.bone('049', 2)))[..., 0]
    np.testing.assert_array_equal(image, decoded)
    assert cases_of(out)['049_2'].foreground_pixels == 80


def test_both_windows_are_red_and_green(raw, out):
    prepare(raw.root, out, window='both')
    metainfo = Manifest.read(out / 'manifest.json').metainfo
    assert metainfo['channels'] == 2
    assert metainfo['channel_names'] == ['brain', 'bone']
    image = read_image(out / cases_of(out)['049_2'].img_path)
    for channel, path in enumerate((raw.brain('049', 2), raw.bone('049', 2))):
        decoded = np.asarray(Image.open(path))[..., 0]
        np.testing.assert_array_equal(image[..., channel], decoded)
    assert not image[..., 2].any()


def test_both_windows_need_both_images(raw, out):
    raw.bone('050', 1).unlink()
    outcome = prepare(raw.root, out, window='both')
    assert outcome.exit_code == 3
    assert find_skipped(outcome) == {
        'Patients_CT/050/brain/1.jpg': 'no bone image of this slice'
    }


def test_raw_data_is_never_touched(raw, out):
    before = raw.snapshot()
    raw.brain('052', 1).write_bytes(b'damaged')
    before['Patients_CT/052/brain/1.jpg'] = raw.snapshot()[
        'Patients_CT/052/brain/1.jpg'
    ]
    prepare(raw.root, out)
    assert raw.snapshot() == before


def test_what_the_table_lists_and_the_folder_lacks_is_counted(raw, out):
    shutil.rmtree(raw.images / '054')
    raw.brain('050', 2).unlink()
    raw.bone('050', 2).unlink()
    outcome = prepare(raw.root, out)
    assert outcome.exit_code == 0
    assert outcome.summary['absent'] == {
        'slices': 4,
        'positive_slices': 1,
        'patients': 2,
        'whole_patients': 1,
        'slices_by_patient': {'050': '2', '054': '1-3'},
    }


# Bad input: skip, report with path, problem and remedy, end with 3; --strict stops.


def truncate(path):
    path.write_bytes(path.read_bytes()[:500])


def break_truncated_image(raw):
    truncate(raw.brain('052', 2))
    return 'Patients_CT/052/brain/2.jpg', 'not a readable image', 17


def break_truncated_mask(raw):
    truncate(raw.mask('051', 3))
    return 'Patients_CT/051/brain/3_HGE_Seg.jpg', 'not a readable image', 17


def break_no_image(raw):
    raw.brain('051', 3).unlink()
    raw.bone('051', 3).unlink()
    return (
        'Patients_CT/051/brain/3_HGE_Seg.jpg',
        'a mask without its brain image',
        17,
    )


def break_no_mask(raw):
    raw.mask('051', 3).unlink()
    return 'Patients_CT/051/brain/3.jpg', 'hemorrhage in the table, but no mask', 17


def break_size(raw):
    write_image(raw.mask('051', 3), np.zeros((40, 47), np.uint8))
    problem = 'shape (40, 47), but 3.jpg has (40, 48)'
    return 'Patients_CT/051/brain/3_HGE_Seg.jpg', problem, 17


def break_grey_mask(raw):
    shutil.copy(raw.brain('051', 3), raw.mask('051', 3))
    return 'Patients_CT/051/brain/3_HGE_Seg.jpg', 'brightest mask value', 17


def break_other_picture_as_mask(raw):
    ramp = np.tile(np.linspace(0, 255, 48).astype(np.uint8), (40, 1))
    write_image(raw.mask('051', 3), ramp)
    return 'Patients_CT/051/brain/3_HGE_Seg.jpg', 'the mask is not binary', 17


def break_mask_stored_as_0_and_1(raw):
    mask = np.zeros((40, 48), np.uint8)
    mask[4:20, 4:20] = 1
    Image.fromarray(mask).save(raw.mask('051', 3), 'PNG')
    problem = 'the brightest mask value is 1, expected 0 or 255'
    return 'Patients_CT/051/brain/3_HGE_Seg.jpg', problem, 17


def break_empty_mask(raw):
    write_image(raw.mask('051', 3), np.zeros((40, 48), np.uint8))
    problem = 'slice 3 has an empty mask, but hemorrhage in the table'
    return 'Patients_CT/051/brain/3.jpg', problem, 17


def break_colour(raw):
    image = np.zeros((40, 48, 3), np.uint8)
    image[..., 0] = 200
    write_image(raw.brain('052', 2), image)
    return 'Patients_CT/052/brain/2.jpg', 'in colour, expected a grey', 17


def break_patient_without_slices(raw):
    shutil.rmtree(raw.images / '052')
    (raw.images / '052' / 'brain').mkdir(parents=True)
    return 'Patients_CT/052', 'a patient without slices', 15


def break_link_outside(raw):
    target = raw.root.parent / 'secret.jpg'
    shutil.move(raw.brain('052', 2), target)
    raw.brain('052', 2).symlink_to(target)
    return 'Patients_CT/052/brain/2.jpg', 'a link that leaves the raw folder', 17


def break_patient_link_outside(raw):
    target = raw.root.parent / 'elsewhere'
    shutil.move(raw.images / '052', target)
    (raw.images / '052').symlink_to(target)
    return 'Patients_CT/052', 'a link that leaves the raw folder', 15


def break_dangling_link(raw):
    raw.brain('052', 2).unlink()
    raw.brain('052', 2).symlink_to('nothing.jpg')
    return 'Patients_CT/052/brain/2.jpg', 'a link to nothing', 17


def break_circular_link(raw):
    raw.brain('052', 2).unlink()
    raw.brain('052', 2).symlink_to('2.jpg')
    return 'Patients_CT/052/brain/2.jpg', 'a link', 17


def break_two_names(raw):
    shutil.copy(raw.brain('052', 2), raw.images / '052/brain/02.jpg')
    return 'Patients_CT/052/brain/02.jpg', 'names the same patient and slice', 18


BREAKS = [value for name, value in globals().items() if name.startswith('break_')]


@pytest.mark.parametrize('damage', BREAKS)
def test_bad_input_is_skipped_and_reported(raw, out, damage):
    path, problem, left = damage(raw)
    outcome = prepare(raw.root, out)
    assert outcome.exit_code == 3
    skipped = find_skipped(outcome)
    assert list(skipped) == [path]
    assert problem in skipped[path]
    finding = next(f for f in outcome.summary['findings'] if f['path'] == path)
    assert finding['remedy']
    assert str(raw.root) not in json.dumps(outcome.summary)
    assert len(cases_of(out)) == left


@pytest.mark.parametrize('damage', BREAKS)
def test_strict_stops_at_bad_input_and_writes_nothing(raw, out, damage):
    path, problem, _ = damage(raw)
    with pytest.raises(InputError) as stop:
        prepare(raw.root, out, run={'strict': True})
    assert path in str(stop.value)
    assert problem in str(stop.value)
    assert not out.parent.exists() or not list(out.parent.iterdir())


def stray_file(raw):
    (raw.images / '052' / 'brain' / 'Thumbs.db').write_bytes(b'x')
    return 'Patients_CT/052/brain/Thumbs.db', 'a stray entry, ignored'


def stray_folder(raw):
    (raw.images / 'notes').mkdir()
    return 'Patients_CT/notes', 'a stray entry, ignored'


def stray_mask_in_bone(raw):
    shutil.copy(raw.mask('051', 3), raw.images / '051/bone/3_HGE_Seg.jpg')
    return 'Patients_CT/051/bone/3_HGE_Seg.jpg', 'a stray entry, ignored'


def unknown_slice(raw):
    raw.write_csv(drop=[('052', 1), ('052', 2)])
    return 'hemorrhage_diagnosis.csv', 'no row for patient 052, slices 1-2'


def contradiction(raw):
    raw.write_csv(changes={('051', 3): '51,3,0,0,0,0,0,1,0'})
    return 'hemorrhage_diagnosis.csv', 'no hemorrhage for patient 051, slices 3'


def no_table(raw):
    raw.csv.unlink()
    return '.', 'no hemorrhage_diagnosis*.csv'


NOTES = [
    stray_file,
    stray_folder,
    stray_mask_in_bone,
    unknown_slice,
    contradiction,
    no_table,
]


@pytest.mark.parametrize('change', NOTES)
def test_oddities_that_cost_nothing_are_noted(raw, out, change):
    path, problem = change(raw)
    outcome = prepare(raw.root, out)
    assert outcome.exit_code == 0
    notes = find_notes(outcome)
    assert list(notes) == [path]
    assert problem in notes[path]
    assert len(cases_of(out)) == 18
    positive = {i: c.foreground_pixels for i, c in cases_of(out).items() if c.positive}
    assert positive == AREAS


@pytest.mark.parametrize('change', NOTES)
def test_strict_stops_at_oddities_too(raw, out, change):
    change(raw)
    with pytest.raises(InputError, match='without --strict'):
        prepare(raw.root, out, run={'strict': True})


def test_unknown_subtypes_are_null_not_false(raw, out):
    unknown_slice(raw)
    prepare(raw.root, out)
    assert cases_of(out)['052_1'].extra['findings'] is None
    assert cases_of(out)['052_1'].extra['fracture'] is None


# Bad input that leaves nothing valid: one error, exit code 2, nothing written.


def remove_all(raw):
    shutil.rmtree(raw.root)
    return {}, 'no such folder'


def name_a_file(raw):
    shutil.rmtree(raw.root)
    raw.root.write_bytes(b'PK')
    return {}, 'is a file; unpack it'


def rename_data(raw):
    raw.images.rename(raw.root / 'images')
    return {}, 'no folder Patients_CT'


def double_data(raw):
    shutil.copytree(raw.images, raw.root / 'copy' / 'Patients_CT')
    return {}, r'holds 2 releases \(Patients_CT, copy/Patients_CT\)'


def link_data(raw):
    target = raw.root.parent / 'elsewhere'
    raw.images.rename(target)
    raw.images.symlink_to(target)
    return {}, 'a link that leaves the raw folder'


def empty_data(raw):
    shutil.rmtree(raw.images)
    raw.images.mkdir()
    return {}, 'holds no usable image'


def damage_everything(raw):
    for path in raw.images.rglob('*.jpg'):
        path.write_bytes(b'')
    return {}, r'holds no usable image; first problem: Patients_CT/049/brain/1\.jpg'


def break_table(raw):
    raw.csv.write_bytes(b'\xff\xfe\x00P\x00a')
    return {}, r'hemorrhage_diagnosis\.csv: not a readable CSV'


def cut_header(raw):
    raw.csv.write_text('PatientNumber,SliceNumber\n49,1\n')
    return {}, r'hemorrhage_diagnosis\.csv: the header lacks epidural'


def break_row(raw):
    raw.write_csv(changes={('050', 1): '50,one,0,0,0,0,0,1,0'})
    return {}, "line 5: slicenumber is 'one', expected a whole number"


def ask_too_many_folds(raw):
    return {'num_folds': 7}, r'6 usable patient\(s\) for 7 folds; use --folds 6'


def ask_unknown_patient(raw):
    return {'val_patients': ['099']}, '--val-patients 099: no usable slices'


def ask_all_patients(raw):
    names = ['049', '050', '051', '052', '053', '054']
    return {'val_patients': names}, 'names all patients'


def ask_window_of_jpeg(raw):
    options = {'window_level_hu': 40, 'window_width_hu': 80}
    return options, 'the JPEG release is windowed already'


FATAL = [
    remove_all,
    name_a_file,
    rename_data,
    double_data,
    link_data,
    empty_data,
    damage_everything,
    break_table,
    cut_header,
    break_row,
    ask_too_many_folds,
    ask_unknown_patient,
    ask_all_patients,
    ask_window_of_jpeg,
]


@pytest.mark.parametrize('change', FATAL)
def test_input_without_anything_valid_gives_one_error(raw, out, change):
    options, message = change(raw)
    with pytest.raises(InputError, match=message):
        prepare(raw.root, out, **options)
    assert not out.parent.exists() or not list(out.parent.iterdir())


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'window': 'lung'}, '--window'),
        ({'val_ratio': 1.0}, '--val-ratio'),
        ({'num_folds': 1}, '--folds'),
        ({'seed': -1}, '--seed'),
        ({'val_patients': ['x7']}, '--val-patients x7'),
        ({'window_level_hu': 40}, '--window-level and --window-width'),
        ({'window_level_hu': 40, 'window_width_hu': 0}, '--window-width is 0'),
        (
            {'window': 'both', 'window_level_hu': 40, 'window_width_hu': 80},
            'with one window',
        ),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(InputError, match=message):
        CraniumPreparer(**options)


def test_an_unreadable_file_is_skipped(raw, out, monkeypatch):
    def refuse(path):
        if path == raw.brain('052', 2):
            raise PermissionError(13, 'Permission denied')
        return hash_file(path)

    monkeypatch.setattr('mmmed.preparation.work.hash_file', refuse)
    outcome = prepare(raw.root, out)
    assert outcome.exit_code == 3
    assert find_skipped(outcome) == {
        'Patients_CT/052/brain/2.jpg': 'cannot be read (Permission denied)'
    }
    assert len(cases_of(out)) == 17


# The NIfTI release


@pytest.fixture(scope='module')
def heads():
    return list(make_cohort(4, slices=5, size=64, seed=3))


@pytest.fixture
def nifti(tmp_path, heads):
    write_nifti_release(tmp_path / 'nifti', heads)
    return tmp_path / 'nifti'


def test_both_releases_give_the_same_labels_and_nearly_the_same_images(
    tmp_path, heads, nifti
):
    write_jpeg_release(tmp_path / 'jpeg', heads)
    for name in ('jpeg', 'nifti'):
        prepare(tmp_path / name, tmp_path / 'out' / name, num_folds=2)
    jpeg, scans = (cases_of(tmp_path / 'out' / n) for n in ('jpeg', 'nifti'))
    assert list(jpeg) == list(scans)
    for name, case in scans.items():
        twin = jpeg[name]
        assert case.extra['findings'] == twin.extra['findings']
        assert (case.split, case.fold) == (twin.split, twin.fold)
        a = read_image(tmp_path / 'out/nifti' / case.img_path).astype(int)
        b = read_image(tmp_path / 'out/jpeg' / twin.img_path).astype(int)
        assert np.abs(a - b).mean() < 2
        np.testing.assert_array_equal(
            read_label(tmp_path / 'out/nifti' / case.seg_map_path),
            read_label(tmp_path / 'out/jpeg' / twin.seg_map_path),
        )


def test_scans_have_spacing_and_release(nifti, out, heads):
    outcome = prepare(nifti, out, num_folds=2)
    assert outcome.exit_code == 0
    case = cases_of(out)['001_2']
    np.testing.assert_allclose(case.spacing, heads[0].volume.spacing[1:], rtol=1e-5)
    metainfo = Manifest.read(out / 'manifest.json').metainfo
    assert metainfo['release'] == 'nifti'
    assert metainfo['window_hu'] == {'brain': [40, 120]}
    assert outcome.summary['expected']['patients'] == 75


def test_own_window(nifti, out, heads):
    prepare(nifti, out, num_folds=2, window_level_hu=70, window_width_hu=100)
    image = read_image(out / cases_of(out)['001_2'].img_path)
    hu = heads[0].volume.array[1].astype(float)
    expected = np.floor(np.clip((hu - 20) / 100, 0, 1) * 255 + 0.5)
    np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize('flip', [(0,), (1,), (2,), (0, 1, 2)])
def test_the_orientation_of_the_file_does_not_matter(nifti, out, heads, flip):
    """Images show the patient's right on the left; slices count as the file does."""
    for kind in ('ct_scans', 'masks'):
        path = nifti / kind / '001.nii'
        image = nib.load(path, mmap=False)
        axes = np.array([[axis, -1 if axis in flip else 1] for axis in range(3)])
        nib.save(image.as_reoriented(axes), path)
    prepare(nifti, out, num_folds=2)
    cases = cases_of(out)
    array, mask = heads[0].volume.array, heads[0].mask
    for number in range(1, 6):
        index = 5 - number if 2 in flip else number - 1
        case = cases.get(f'001_{number}')
        if case is None:  # the table, in the old order, contradicts an empty mask
            assert 2 in flip
            continue
        grey = np.floor(np.clip((array[index] + 20) / 120, 0, 1) * 255 + 0.5)
        np.testing.assert_array_equal(read_image(out / case.img_path), grey)
        np.testing.assert_array_equal(read_label(out / case.seg_map_path), mask[index])


def test_masks_of_0_and_1_and_compressed_scans_are_read_too(nifti, out, heads):
    for kind in ('ct_scans', 'masks'):
        path = nifti / kind / '001.nii'
        image = nib.load(path, mmap=False)
        data = np.asarray(image.dataobj)
        if kind == 'masks':
            data = (data // 255).astype(np.float32)
        nib.save(nib.Nifti1Image(data, image.affine), path.with_suffix('.nii.gz'))
        path.unlink()
    assert prepare(nifti, out, num_folds=2).exit_code == 0
    case = cases_of(out)['001_2']
    assert case.foreground_pixels == heads[0].mask[1].sum()


def test_a_mask_with_another_header_is_paired_voxel_by_voxel(nifti, out, heads):
    path = nifti / 'masks/001.nii'
    nib.save(
        nib.Nifti1Image(np.asarray(nib.load(path, mmap=False).dataobj), np.eye(4)), path
    )
    prepare(nifti, out, num_folds=2)
    label = read_label(out / cases_of(out)['001_3'].seg_map_path)
    np.testing.assert_array_equal(label, heads[0].mask[2])


def nifti_truncated(nifti):
    path = nifti / 'ct_scans/002.nii'
    path.write_bytes(path.read_bytes()[:9000])
    return 'ct_scans/002.nii', 'not a readable NIfTI image'


def nifti_without_mask(nifti):
    (nifti / 'masks/002.nii').unlink()
    return 'ct_scans/002.nii', 'a scan without mask'


def nifti_without_scan(nifti):
    (nifti / 'ct_scans/002.nii').unlink()
    return 'masks/002.nii', 'a mask without scan'


def nifti_sizes(nifti):
    image = nib.Nifti1Image(np.zeros((64, 64, 4), np.uint8), np.eye(4))
    nib.save(image, nifti / 'masks/002.nii')
    return 'masks/002.nii', 'shape (4, 64, 64), but 002.nii has (5, 64, 64)'


def nifti_grey_mask(nifti):
    shutil.copy(nifti / 'ct_scans/002.nii', nifti / 'masks/002.nii')
    return 'masks/002.nii', 'mask values reach from'


def nifti_sagittal(nifti):
    path = nifti / 'ct_scans/002.nii'
    image = nib.load(path, mmap=False)
    affine = image.affine[:, [2, 0, 1, 3]]
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), affine), path)
    return 'ct_scans/002.nii', 'is no stack of axial slices'


def nifti_nan(nifti):
    path = nifti / 'ct_scans/002.nii'
    image = nib.load(path, mmap=False)
    data = np.asarray(image.dataobj, np.float32)
    data[3, 4, 2] = np.nan
    nib.save(nib.Nifti1Image(data, image.affine), path)
    return 'ct_scans/002.nii', 'NaN or infinite'


@pytest.mark.parametrize(
    'damage',
    [
        nifti_truncated,
        nifti_without_mask,
        nifti_without_scan,
        nifti_sizes,
        nifti_grey_mask,
        nifti_sagittal,
        nifti_nan,
    ],
)
def test_a_bad_scan_is_skipped_and_reported(nifti, out, damage):
    path, problem = damage(nifti)
    outcome = prepare(nifti, out, num_folds=2)
    assert outcome.exit_code == 3
    skipped = find_skipped(outcome)
    assert list(skipped) == [path]
    assert problem in skipped[path]
    assert {case.patient_id for case in cases_of(out).values()} == {'001', '003', '004'}


# Real data


@pytest.mark.data
def test_the_real_sample(sample_data, out):
    outcome = prepare(sample_data / 'head_ct_ich', out, num_folds=5)
    summary = outcome.summary
    assert outcome.exit_code == 0
    assert summary['table'] == {'slices': 2501, 'positive_slices': 318, 'patients': 82}
    assert summary['table'] == {k: summary['expected'][k] for k in summary['table']}
    everything = summary['splits']['all']
    assert (everything['patients'], everything['slices']) == (5, 59)
    assert everything['positive_slices'] == 28
    assert summary['absent']['slices'] == 2501 - 59
    assert summary['absent']['positive_slices'] == 318 - 28
    assert summary['absent']['whole_patients'] == 77
    assert summary['findings'] == []
    assert cases_of(out)['077_20'].foreground_pixels == 1516
    assert summary['masks']['in_between_pixels'] == 36175
