"""What names of spinal cord files say."""

from pathlib import PurePosixPath

import pytest

from mmmed.preparation.spine_names import (
    find_location,
    find_sequence,
    find_subject,
    split_mask_name,
)


@pytest.mark.parametrize(
    ('stem', 'expected'),
    [
        ('sub-01_T2w_label-SC_seg', ('sub-01_T2w', 'cord')),
        ('sub-01_T2w_seg-manual', ('sub-01_T2w', 'cord')),
        ('sub-01_T2w_lesion-manual', ('sub-01_T2w', 'lesion')),
        ('sub-01_T2w_label-lesion_seg', ('sub-01_T2w', 'lesion')),
        ('sub-01_T2w_label-GM_seg', ('sub-01_T2w', 'other')),
        ('sub-01_T2starw_gmseg-manual', ('sub-01_T2starw', 'other')),
        ('t2s_uncropped_gmseg_manual', ('t2s_uncropped', 'other')),
        ('t2_fake_lesion_sc_seg', ('t2_fake_lesion', 'cord')),
        ('t2_fake_lesion_lesion_seg', ('t2_fake_lesion', 'lesion')),
        ('mt0_seg', ('mt0', 'cord')),
        ('t2_fake_lesion', None),
        ('sub-01_acq-T1w_MTS', None),
    ],
)
def test_masks_are_told_from_images(stem, expected):
    assert split_mask_name(stem) == expected


@pytest.mark.parametrize(
    ('path', 'sequence', 'location', 'subject'),
    [
        ('sub-a1/anat/sub-a1_acq-T1w_MTS.nii.gz', 'other', None, 'sub-a1'),
        ('sub-a1/anat/sub-a1_run-1_T2starw.nii.gz', 'T2starw', None, 'sub-a1'),
        ('t2s/t2s_uncropped.nii.gz', 'T2starw', None, None),
        ('mt/t1w.nii.gz', 'T1w', None, None),
        ('t2/scan.nii', 'T2w', None, None),
        ('lumbar/t2_lumbar.nii.gz', 'T2w', 'lumbar', None),
        ('cervical/lumbar/scan.nii', None, None, None),
    ],
)
def test_names_tell_sequence_location_and_subject(path, sequence, location, subject):
    path = PurePosixPath(path)
    found = find_sequence(path), find_location(path), find_subject(path)
    assert found == (sequence, location, subject)
