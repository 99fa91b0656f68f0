import json
import shutil

import numpy as np
import pytest

from mmmed.functional.intensity import compute_percentile_window, quantize_intensity
from mmmed.functional.packed_bits import extract_packed_slice, unpack_mask
from mmmed.functional.planes import PLANES, assemble_volume, count_slices
from mmmed.io import read_volume
from mmmed.preparation import AtlasPreparer, InputError
from mmmed.structures import Manifest, Volume


def prepare(raw, out, *, run=(), **options):
    options = {'num_folds': 2} | options
    outcome = AtlasPreparer(**options).prepare(raw, out, quiet=True, **dict(run))
    return outcome, Manifest.read(out / 'manifest.json')


def find(manifest, name):
    return next(case for case in manifest.cases if case.case_id == name)


def list_problems(outcome, *, skipped=None):
    return [
        f'{f["path"]}: {f["problem"]}'
        for f in outcome.summary['findings']
        if skipped is None or f['skipped'] is skipped
    ]


def test_volumes_masks_and_tables_are_what_the_files_say(raw_atlas, tmp_path):
    outcome, manifest = prepare(raw_atlas.root, tmp_path / 'out')
    assert outcome.exit_code == 0
    assert manifest.unit == 'volume'
    assert manifest.metainfo['semi_synthetic'] is False
    # One grid for all: what inference will ask of a new scan.
    grid = manifest.metainfo['grid']
    assert (grid['shape'], grid['name']) == ([7, 9, 11], 'cohort grid')
    assert grid['affine'] == [list(row) for row in manifest.cases[0].affine]
    assert len(manifest.cases) == 14
    case = find(manifest, 'sub-r002s001')
    assert (case.shape, case.spacing) == ((7, 9, 11), (2, 1.5, 1))
    assert case.foreground_voxels == 10
    assert case.extra['lesion_volume_mm3'] == 30
    assert case.extra['site'] == 'R002'
    raw = read_volume(raw_atlas.image_path('sub-r002s001')).reorient().array
    image = np.load(tmp_path / 'out' / case.img_paths['t1w'], allow_pickle=False)
    assert image.dtype == np.uint8
    window = compute_percentile_window(raw, 0.5, 99.5, nonzero=True)
    np.testing.assert_array_equal(image, quantize_intensity(raw, window, 8))
    assert case.extra['source']['intensity_range'] == list(window)
    packed = np.load(tmp_path / 'out' / case.seg_map_path, allow_pickle=False)
    mask = unpack_mask(packed, case.shape)
    assert mask[1:2, 1:3, 1:6].all()
    assert mask.sum() == 10
    assert case.extra['lesion_pixels'] == {
        'axial': [0, 10, 0, 0, 0, 0, 0],
        'coronal': [0, 5, 5, 0, 0, 0, 0, 0, 0],
        'sagittal': [0, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0],
    }


def test_slices_reassemble_to_the_volume_in_every_plane(raw_atlas, tmp_path):
    """Acceptance test 6 of the stroke specification, on prepared files."""
    _, manifest = prepare(raw_atlas.root, tmp_path / 'out')
    case = find(manifest, 'sub-r001s001')
    packed = np.load(tmp_path / 'out' / case.seg_map_path, mmap_mode='r')
    for plane in PLANES:
        slices = [
            extract_packed_slice(packed, case.shape, plane, i)
            for i in range(count_slices(case.shape, plane))
        ]
        np.testing.assert_array_equal(
            assemble_volume(slices, plane), unpack_mask(packed, case.shape)
        )


def test_any_orientation_of_the_file_gives_the_same_volume(raw_atlas, tmp_path):
    _, before = prepare(raw_atlas.root, tmp_path / 'a')
    for path in (raw_atlas.image_path, raw_atlas.mask_path):
        file = path('sub-r001s001')
        turned = read_volume(file).reorient('LPS')
        array = np.ascontiguousarray(turned.array)
        raw_atlas.write(file, array, turned.grid, turned.spacing)
    _, after = prepare(raw_atlas.root, tmp_path / 'b')
    first, second = (find(m, 'sub-r001s001') for m in (before, after))
    assert first.sha256 == second.sha256
    assert first.affine == second.affine
    assert first.extra['source']['orientation'] == 'SAR'
    assert second.extra['source']['orientation'] == 'LPS'


def test_the_hold_out_has_no_fold_and_nobody_is_on_two_sides(raw_atlas, tmp_path):
    _, manifest = prepare(raw_atlas.root, tmp_path / 'out', val_ratio=0.25)
    assert manifest.metainfo['folds_on'] == 'train'
    held = {c.patient_id for c in manifest.select('val')}
    assert len(held) == 3
    folds = [{c.patient_id for c in manifest.select('val', k)} for k in range(2)]
    assert not folds[0] & folds[1]
    assert not held & (folds[0] | folds[1])
    assert len(held | folds[0] | folds[1]) == 12
    assert {c.case_id for c in manifest.select('test')} == {
        'sub-r009s001', 'sub-r009s002',
    }  # fmt: skip


def test_sixteen_bits_and_folds_on_all(raw_atlas, tmp_path):
    _, manifest = prepare(raw_atlas.root, tmp_path / 'o', bits=16, folds_on='all')
    case = manifest.cases[0]
    assert np.load(tmp_path / 'o' / case.img_paths['t1w']).dtype == np.uint16
    assert manifest.metainfo['dtype'] == 'uint16'
    assert all(c.fold is not None for c in manifest.cases if c.split != 'test')


def test_the_result_depends_neither_on_workers_nor_on_repetition(
    raw_atlas, tmp_path, read_files
):
    prepare(raw_atlas.root, tmp_path / 'a', run={'workers': 1})
    prepare(raw_atlas.root, tmp_path / 'b', run={'workers': 3})
    assert read_files(tmp_path / 'a') == read_files(tmp_path / 'b')
    again, _ = prepare(raw_atlas.root, tmp_path / 'a')
    assert again.status == 'unchanged'
    with pytest.raises(InputError, match='dtype was'):
        prepare(raw_atlas.root, tmp_path / 'a', bits=16)


def test_parts_merge_to_the_same_bytes(raw_atlas, tmp_path, read_files):
    prepare(raw_atlas.root, tmp_path / 'whole')
    for part_id in range(3):
        run = {'num_parts': 3, 'part_id': part_id, 'quiet': True}
        outcome = AtlasPreparer(num_folds=2).prepare(
            raw_atlas.root, tmp_path / 'out', **run
        )
        assert outcome.status == 'part'
    outcome, _ = prepare(
        raw_atlas.root, tmp_path / 'out', run={'num_parts': 3, 'merge': True}
    )
    assert outcome.reused == 14
    assert read_files(tmp_path / 'out') == read_files(tmp_path / 'whole')
    assert sorted(p.name for p in tmp_path.iterdir()) == ['out', 'raw', 'whole']


def test_bad_subjects_are_named_and_the_rest_is_prepared(raw_atlas, tmp_path):
    mask = raw_atlas.mask_path('sub-r001s001')
    moved = np.array(read_volume(mask).grid)
    moved[0, 3] += 0.5
    raw_atlas.write(mask, read_volume(mask).array, moved)
    raw_atlas.image_path('sub-r002s001').write_bytes(b'no image')
    nan = np.full((7, 9, 11), np.nan, np.float32)
    raw_atlas.write(raw_atlas.image_path('sub-r003s001'), nan)
    flat = np.zeros((7, 9, 11), np.int16)
    raw_atlas.write(raw_atlas.image_path('sub-r001s002'), flat)
    outcome, manifest = prepare(raw_atlas.root, tmp_path / 'out')
    assert outcome.exit_code == 3
    problems = '\n'.join(list_problems(outcome, skipped=True))
    assert 'largest affine difference 0.5' in problems
    assert problems.count('\n') == 3
    assert 'no voxel differs from 0' in problems
    for name in ('sub-r002s001', 'sub-r003s001'):
        assert raw_atlas.image_path(name).name in problems
    assert len(manifest.cases) == 10


def test_odd_masks_and_grids_are_told_and_kept(raw_atlas, tmp_path):
    soft = np.zeros((7, 9, 11), np.float32)
    soft[2, 2, 2:5] = (0.25, 1, 2)
    raw_atlas.write(raw_atlas.mask_path('sub-r001s001'), soft)
    raw_atlas.write(raw_atlas.mask_path('sub-r002s001'), np.zeros((7, 9, 11), np.uint8))
    shutil.copy(
        raw_atlas.image_path('sub-r003s001'), raw_atlas.image_path('sub-r003s002')
    )
    outcome, manifest = prepare(raw_atlas.root, tmp_path / 'out')
    assert outcome.exit_code == 0
    assert outcome.summary['mask_values'] == {'sub-r001s001': [0, 0.25, 1, 2]}
    assert find(manifest, 'sub-r001s001').foreground_voxels == 3
    assert find(manifest, 'sub-r002s001').positive is False
    problems = '\n'.join(list_problems(outcome))
    assert 'the mask is empty' in problems
    assert 'the same image as sub-r003s001' in problems
    assert '14 case(s) on a grid of (7, 9, 11)' in problems


def test_a_published_fold_file_is_used(raw_atlas, tmp_path):
    names = sorted(raw_atlas.sizes)
    table = tmp_path / 'folds.csv'
    rows = [f'{i % 3},{n.removeprefix("sub-")}' for i, n in enumerate(names)]
    table.write_text('fold,subject\n' + '\n'.join(rows) + '\n')
    _, manifest = prepare(raw_atlas.root, tmp_path / 'out', split_file=table)
    assert manifest.metainfo['num_folds'] == 3
    assert manifest.metainfo['split_file']['name'] == 'folds.csv'
    folds = {c.case_id: c.fold for c in manifest.cases if c.split != 'test'}
    assert folds == {name: index % 3 for index, name in enumerate(names)}
    table.write_text('fold,subject\n' + '\n'.join(rows[1:]) + '\n')
    with pytest.raises(InputError, match=r'1 patient.*prepared but in no fold'):
        prepare(raw_atlas.root, tmp_path / 'other', split_file=table)


def test_the_description_says_that_data_is_generated(raw_atlas, tmp_path):
    about = raw_atlas.root / 'dataset_description.json'
    about.write_text(json.dumps({'Name': 'phantom', 'SemiSynthetic': True}))
    _, manifest = prepare(raw_atlas.root, tmp_path / 'out')
    assert manifest.metainfo['semi_synthetic'] is True


def test_several_sessions_stay_together(raw_atlas, tmp_path):
    raw_atlas.add('sub-r001s001', (1, 1, 1), session=2)
    _, manifest = prepare(raw_atlas.root, tmp_path / 'out')
    both = [c for c in manifest.cases if c.patient_id == 'sub-r001s001']
    assert [c.case_id for c in both] == ['sub-r001s001', 'sub-r001s001_ses-2']
    assert len({(c.split, c.fold) for c in both}) == 1


def test_too_few_patients_for_the_folds(raw_atlas, tmp_path):
    with pytest.raises(InputError, match='on the training side for 11 folds'):
        prepare(raw_atlas.root, tmp_path / 'out', num_folds=11)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'bits': 12}, '--bits is 12'),
        ({'folds_on': 'val'}, '--folds-on'),
        ({'export_slices': 'gif'}, '--export-slices'),
        ({'split_file': '/nowhere.csv'}, 'cannot be read'),
    ],
)
def test_a_wrong_option_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        AtlasPreparer(**options)


def test_a_dry_run_writes_nothing(raw_atlas, tmp_path):
    outcome = AtlasPreparer(num_folds=2).prepare(
        raw_atlas.root, tmp_path / 'out', dry_run=True, quiet=True
    )
    assert outcome.status == 'checked'
    assert outcome.summary['splits']['all']['patients'] == 14
    assert [p.name for p in tmp_path.iterdir()] == ['raw']


def test_png_slices_are_a_prepared_folder_of_their_own(raw_atlas, tmp_path):
    outcome, _ = prepare(raw_atlas.root, tmp_path / 'out', export_slices='png')
    folder = tmp_path / 'out_axial_png'
    assert outcome.exported == [f'wrote {12 * 7} axial slices to {folder}']
    slices = Manifest.read(folder / 'manifest.json')
    assert slices.unit == 'slice'
    # Inference on a scan cuts slices that lie the same way.
    assert (slices.metainfo['plane'], slices.metainfo['orientation']) == (
        'axial',
        'SAR',
    )
    assert sum(c.foreground_pixels for c in slices.cases) == sum(
        raw_atlas.sizes.values()
    )
    again, _ = prepare(raw_atlas.root, tmp_path / 'out', export_slices='png')
    assert (again.status, again.exported) == ('unchanged', outcome.exported)


def test_nifti_slices_lie_where_they_were(raw_atlas, tmp_path):
    options = {'export_slices': 'nii', 'plane': 'coronal'}
    prepare(raw_atlas.root, tmp_path / 'out', **options)
    folder = tmp_path / 'out_coronal_nii/coronal_2D/sub-r001s001'
    slab = read_volume(folder / 'sub-r001s001_slice_3_mask.nii.gz').reorient()
    assert slab.shape == (7, 1, 11)
    whole = read_volume(raw_atlas.mask_path('sub-r001s001')).reorient()
    np.testing.assert_array_equal(slab.array[:, 0], whole.array[:, 3])
    np.testing.assert_allclose(slab.grid @ [0, 0, 0, 1], whole.grid @ [0, 3, 0, 1])
    assert isinstance(slab, Volume)
    assert len(list(folder.iterdir())) == 2 * 9


def test_stacks_hold_all_slices_of_a_plane(raw_atlas, tmp_path):
    options = {'export_slices': 'npy', 'plane': 'sagittal'}
    _, manifest = prepare(raw_atlas.root, tmp_path / 'out', **options)
    case = find(manifest, 'sub-r001s001')
    path = f'out_sagittal_npy/masks/{case.split}/sub-r001s001_sagittal.npy'
    stack = np.load(tmp_path / path, allow_pickle=False)
    assert stack.shape == (11, 7, 9)
    assert stack.sum() == 252
