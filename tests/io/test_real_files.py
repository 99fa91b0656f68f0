"""The sample data: everything in it is read right, and comes back bit for bit."""

import gzip

import nibabel as nib
import numpy as np
import pytest

from mmmed.io import (
    list_series,
    read_segmentation,
    read_series,
    read_volume,
    write_volume,
)

pytestmark = pytest.mark.data

SERIES = [
    'abdomen/dcmqi_ct3slice/ct-3slice',
    'dicom/datalad_structural/dicoms',
    'dicom/dicom2nifti/hitachi/anatomical/001',
    'dicom/torchio/dicom',
]
DCMQI = 'abdomen/dcmqi_ct3slice'


def to_affine(image) -> np.ndarray:
    """RAS+ affine in array-axis order of a SimpleITK image."""
    affine = np.eye(4)
    directions = np.reshape(image.GetDirection(), (3, 3))
    affine[:3, :3] = directions * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    affine[:2] *= -1
    return affine[:, [2, 1, 0, 3]]


def is_lesion(path) -> bool:
    return path.parent.name == 'lesions'


def check_bytes(path, volume, tmp_path):
    """What is written holds the file's bytes: voxels, affine and all of its header."""
    write_volume(volume, tmp_path / 'x.nii')
    with gzip.open(path) as stream:
        assert (tmp_path / 'x.nii').read_bytes() == stream.read(), path


def test_every_nifti_comes_back_bit_for_bit(sample_data, tmp_path):
    paths = [p for p in sorted(sample_data.rglob('*.nii.gz')) if not is_lesion(p)]
    assert len(paths) >= 100
    for path in paths:
        volume = read_volume(path)
        reference = nib.load(path)
        expected = np.asarray(reference.dataobj).T
        np.testing.assert_array_equal(
            volume.array, expected.astype(volume.array.dtype), err_msg=str(path)
        )
        np.testing.assert_array_equal(
            volume.affine[:, [2, 1, 0, 3]], reference.affine, err_msg=str(path)
        )
        check_bytes(path, volume, tmp_path)


@pytest.mark.slow
def test_every_lesion_mask_comes_back_bit_for_bit(sample_data, tmp_path):
    paths = [p for p in sample_data.rglob('*.nii.gz') if is_lesion(p)]
    assert len(paths) == 100
    for path in paths:
        check_bytes(path, read_volume(path), tmp_path)


def test_every_orientation_comes_back_bit_for_bit(sample_data, tmp_path):
    paths = sorted(sample_data.glob('spinal_cord/*/*.nii.gz'))
    seen = set()
    for path in paths:
        scan = read_volume(path)
        seen.add(scan.orientation)
        canonical = scan.reorient()
        assert canonical.orientation == 'SAR'
        write_volume(canonical, tmp_path / 'x.nii.gz', like=scan)
        again = read_volume(tmp_path / 'x.nii.gz')
        np.testing.assert_array_equal(again.array, scan.array)
        np.testing.assert_array_equal(again.affine, scan.affine)
    assert len(seen) >= 3


def test_a_diffusion_scan_is_refused_where_three_axes_are_needed(sample_data):
    with pytest.raises(ValueError, match=r'dmri\.nii\.gz: 4-D image of shape \(7, 5'):
        read_volume(sample_data / 'spinal_cord/dmri/dmri.nii.gz', ndim=3)


@pytest.mark.parametrize('folder', SERIES)
def test_series_equal_simpleitk(sample_data, folder):
    sitk = pytest.importorskip('SimpleITK', reason='parity reference')
    pytest.importorskip('pydicom', reason='DICOM is an optional extra')
    volume = read_volume(sample_data / folder)
    reader = sitk.ImageSeriesReader()
    names = reader.GetGDCMSeriesFileNames(str(sample_data / folder))
    reader.SetFileNames(names)
    image = reader.Execute()
    np.testing.assert_array_equal(volume.array, sitk.GetArrayFromImage(image))
    np.testing.assert_allclose(volume.affine, to_affine(image), rtol=0, atol=1e-6)


def test_hitachi_equals_the_conversion_beside_it(sample_data):
    pytest.importorskip('pydicom', reason='DICOM is an optional extra')
    folder = sample_data / 'dicom/dicom2nifti/hitachi/anatomical'
    converted = read_volume(folder / '001_ground_truth.nii.gz')
    volume = read_volume(folder / '001').reorient(converted.orientation)
    np.testing.assert_array_equal(volume.array, converted.array)
    volume.check_grid(converted)


STORAGES = 'RLE bigendian expb implicit jp2klossless jpeg_ls_lossless padded'


@pytest.mark.parametrize('name', STORAGES.split())
def test_every_storage_of_the_same_image(sample_data, name):
    pytest.importorskip('pydicom', reason='DICOM is an optional extra')
    folder = sample_data / 'dicom/pydicom'
    expected = read_volume(folder / 'MR_small.dcm')
    volume = read_volume(folder / f'MR_small_{name}.dcm')
    np.testing.assert_array_equal(volume.array, expected.array)
    volume.check_grid(expected)


def test_what_is_no_image_is_skipped_with_a_reason(sample_data):
    pytest.importorskip('pydicom', reason='DICOM is an optional extra')
    series = list_series(sample_data / 'dicom/pydicom')
    reasons = ' '.join(one.reason for one in series[0].skipped)
    for word in ('(RTDOSE)', '(SEG)', 'DICOMDIR', 'without pixels', 'not a DICOM'):
        assert word in reasons
    brain = next(one for one in series if one.description == 'Routine Brain')
    with pytest.raises(ValueError, match=r'161 slices of 1\.25 mm are missing'):
        read_series(brain)
    with pytest.raises(ValueError, match='would need 165 slices'):
        read_series(brain, irregular='resample')
    cardiac = next(one for one in series if one.description.startswith('SmartScore'))
    assert read_series(cardiac).spacing == (2.5, 0.488281, 0.488281)


@pytest.mark.parametrize(
    ('seg', 'masks'),
    [
        ('liver.dcm', {'liver_seg.nrrd': {1: 1}}),
        (
            'partial_overlaps.dcm',
            {
                'partial_overlaps-1.nrrd': {1: 1, 4: 4, 5: 5},
                'partial_overlaps-2.nrrd': {2: 2},
                'partial_overlaps-3.nrrd': {3: 3},
            },
        ),
    ],
)
def test_segmentations_equal_the_masks_beside_them(sample_data, seg, masks):
    pytest.importorskip('highdicom', reason='DICOM is an optional extra')
    scan = read_volume(sample_data / DCMQI / 'ct-3slice')
    segmentation = read_segmentation(sample_data / DCMQI / seg, like=scan)
    numbers = [one.number for one in segmentation.source.header.segments]
    for name, labels in masks.items():
        mask = read_volume(sample_data / DCMQI / name).reorient(scan.orientation)
        mask.check_grid(scan)
        assert set(np.unique(mask.array)) == {0, *labels}
        for number, label in labels.items():
            if segmentation.array.ndim == 4:
                segment = segmentation.array[numbers.index(number)] > 0
            else:
                segment = segmentation.array == number
            np.testing.assert_array_equal(segment, mask.array == label)


def test_a_segmentation_of_the_real_series_returns(sample_data, tmp_path):
    pytest.importorskip('highdicom', reason='DICOM is an optional extra')
    scan = read_volume(sample_data / DCMQI / 'ct-3slice')
    mask = scan.replace_array((scan.array > 150).astype(np.uint8))
    write_volume(mask, tmp_path / 'bone.dcm', like=scan)
    again = read_segmentation(tmp_path / 'bone.dcm', like=scan)
    np.testing.assert_array_equal(again.array, mask.array)
