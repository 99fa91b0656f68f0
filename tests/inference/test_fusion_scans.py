"""Scans and their masks by name; what does not belong together is refused."""

import numpy as np
import pytest

from mmmed.inference.fusion_scans import find_fusion_scans
from mmmed.io import write_volume

SHAPE = (4, 5, 6)


@pytest.fixture
def folders(tmp_path, make_volume, rng):
    """Scans named as ATLAS names them, and masks of two of three, stored turned."""
    lesion = (rng.random(SHAPE) < 0.3).astype(np.uint8)
    stem = '{}_ses-1_space-MNI152NLin2009aSym'
    for name in ('sub-1', 'sub-2', 'sub-3'):
        scan = make_volume(rng.normal(size=SHAPE).astype(np.float32))
        write_volume(scan, tmp_path / f'scans/{stem.format(name)}_T1w.nii.gz')
    for name in ('sub-1', 'sub-3'):
        mask = make_volume(3 * lesion).reorient('LPI')
        path = f'{stem.format(name)}_label-L_desc-T1lesion_mask.nii.gz'
        write_volume(mask, tmp_path / 'masks' / path)
    return tmp_path / 'scans', tmp_path / 'masks', lesion


def test_masks_are_found_by_name(folders):
    scans, masks, lesion = folders
    found = find_fusion_scans(scans, reference=masks)
    assert [scan.read_reference is not None for scan in found] == [True, False, True]
    volume = found[0].read()
    assert np.array_equal(found[0].read_reference(volume), lesion > 0)


def test_masks_of_other_grids_are_refused(folders, make_volume):
    scans, masks, lesion = folders
    path = next(masks.glob('sub-1*'))
    scan = find_fusion_scans(scans, reference=masks)[0]
    write_volume(make_volume(lesion[1:]), path)
    with pytest.raises(ValueError, match='expected the same voxels'):
        scan.read_reference(scan.read())
    write_volume(make_volume(lesion, tilt_deg=40.0), path)
    with pytest.raises(ValueError, match='mm off its scan'):
        scan.read_reference(scan.read())


def test_two_masks_of_one_scan_are_refused(folders):
    scans, masks, _ = folders
    path = next(masks.glob('sub-1*'))
    name = path.name.replace('_label-L_desc-T1lesion', '')
    (masks / name).write_bytes(path.read_bytes())
    with pytest.raises(ValueError, match='both the mask of'):
        find_fusion_scans(scans, reference=masks)


def test_folds_need_a_prepared_folder(folders):
    with pytest.raises(ValueError, match='no prepared folder'):
        find_fusion_scans(folders[0], fold=0)
