import numpy as np
import pytest

from mmmed.io import list_series, read_series, read_volume, write_volume

pydicom = pytest.importorskip('pydicom', reason='DICOM is an optional extra')

HEIGHTS = [(0, 0, 6), (0, 0, 0), (0, 0, 3)]


def test_slices_are_sorted_by_place_not_by_name(make_slices):
    volume = read_volume(make_slices(HEIGHTS, names=['a', 'b.dcm', 'c.ima']))
    assert volume.array[:, 0, 0].tolist() == [1, 2, 0]
    assert volume.array.shape == (3, 4, 6)
    assert volume.spacing == (3, 0.75, 0.5)
    assert volume.orientation == 'SPL'
    assert volume.source.notes == ()


def test_rescale_is_whole_when_it_can_be(make_slices):
    ct = read_volume(make_slices(HEIGHTS, RescaleSlope=2, RescaleIntercept=-1024))
    assert ct.array.dtype == np.int16
    assert ct.array[:, 0, 0].tolist() == [-1022, -1020, -1024]
    pet = read_volume(
        make_slices(
            HEIGHTS, folder='pet', RescaleSlope=(0.5, 0.25, 4.0), RescaleIntercept=0
        )
    )
    assert pet.array.dtype == np.float32
    assert pet.array[:, 0, 0].tolist() == [0.25, 8.0, 0.0]


def test_rescale_beyond_16_bits_widens(make_slices):
    pixels = np.full((3, 4, 6), 32767)
    volume = read_volume(make_slices(HEIGHTS, pixels, RescaleSlope=3))
    assert volume.array.dtype == np.int32
    assert volume.array.max() == 98301


@pytest.mark.parametrize(
    ('positions', 'reason'),
    [
        ([(0, 0, z) for z in (0, 3, 6, 12)], '1 slices of 3 mm are missing'),
        ([(0, 0, z) for z in (0, 3, 7, 9)], 'distances vary'),
        ([(0, z / 3, z) for z in (0, 3, 6, 9)], 'sheared by 18.43 degrees'),
    ],
)
def test_irregular_slices_are_refused_or_resampled(make_slices, positions, reason):
    folder = make_slices(positions)
    with pytest.raises(ValueError, match=rf'series: .*{reason}.*irregular='):
        read_volume(folder)
    volume = read_volume(folder, irregular='resample')
    assert reason in volume.source.notes[0]
    assert volume.array[0, 0, 0] == 0
    assert volume.array.max() == 3
    with pytest.raises(ValueError, match='was resampled'):
        write_volume(volume.replace_array(volume.array > 0), folder / 'seg.dcm',
                     like=volume)  # fmt: skip


def test_an_unknown_option_is_refused(make_slices):
    with pytest.raises(ValueError, match="irregular is 'ignore'"):
        read_volume(make_slices(HEIGHTS), irregular='ignore')


def test_several_series_are_named_and_listed(make_slices):
    make_slices(HEIGHTS, folder='tree/a', uid='1.2.3', SeriesDescription='thin')
    root = make_slices(HEIGHTS[:2], folder='tree/b', uid='1.2.4', SeriesNumber=7).parent
    with pytest.raises(ValueError, match=r"2 image series \(series 1 CT 'thin' 3 x 4"):
        read_volume(root)
    thin, other = list_series(root)
    assert (thin.description, thin.shape, other.number) == ('thin', (3, 4, 6), 7)
    assert read_series(other).array.shape == (2, 4, 6)
    assert read_series(thin.paths).array.shape == (3, 4, 6)


def test_echoes_and_orientations_become_stacks(make_slices):
    folder = make_slices([*HEIGHTS, *HEIGHTS], EchoTime=(4.0, 4.0, 4.0, 9.5, 9.5, 9.5))
    assert [s.part for s in list_series(folder)] == ['EchoTime=4.0', 'EchoTime=9.5']
    late = read_series(list_series(folder)[1])
    assert late.array[:, 0, 0].tolist() == [4, 5, 3]
    make_slices(
        [(9, 9, 9)], folder='series', orientation=(0, 1, 0, 0, 0, -1), names=['scout']
    )
    parts = [series.part for series in list_series(folder)]
    assert len(parts) == 3
    assert parts[-1] == 'orientation 2'


def test_unexplained_repeats_are_refused(make_slices):
    folder = make_slices([*HEIGHTS, HEIGHTS[0]])
    with pytest.raises(ValueError, match='2 of 4 images share a place'):
        read_volume(folder)


def test_copies_and_other_objects_are_skipped_with_a_reason(make_slices):
    folder = make_slices(HEIGHTS)
    (folder / 'copy').write_bytes((folder / '0.dcm').read_bytes())
    (folder / 'notes.txt').write_text('no DICOM')
    (folder / '.DS_Store').write_bytes(b'hidden')
    make_slices([None], names=['dose'], Modality='RTDOSE', uid='1.9')
    make_slices([None], names=['report'], Modality='SR', uid='1.8')
    make_slices([None], names=['rgb'], SamplesPerPixel=3, uid='1.7')
    (series,) = list_series(folder)
    reasons = {one.path.split('/')[-1]: one.reason for one in series.skipped}
    assert reasons == {
        'copy': f'a copy of {folder}/0.dcm',
        'notes.txt': 'not a DICOM file',
        'dose': 'a radiotherapy dose (RTDOSE)',
        'report': 'a structured report (SR)',
        'rgb': 'a colour picture',
    }
    volume = read_volume(folder)
    assert volume.array.shape == (3, 4, 6)
    assert volume.source.notes[0].startswith('5 files were skipped (')


def test_a_folder_without_image_says_what_it_holds(tmp_path, make_slices):
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match='empty: no DICOM image: it holds no file'):
        read_volume(tmp_path / 'empty')
    folder = make_slices([None, None], folder='doses', Modality='RTDOSE')
    with pytest.raises(ValueError, match=r'2 a radiotherapy dose'):
        read_volume(folder)


def test_images_without_position(make_slices):
    one = read_volume(make_slices([None], folder='one'))
    assert 'an axial image is assumed' in one.source.notes[0]
    assert one.spacing == (2, 0.75, 0.5)
    with pytest.raises(ValueError, match='3 of 3 images have no'):
        read_volume(make_slices([None] * 3, folder='three'))


def test_changing_pixel_spacing_is_refused(make_slices):
    folder = make_slices(HEIGHTS)
    make_slices([(0, 0, 9)], names=['wide'], spacing=(1.5, 0.5))
    with pytest.raises(ValueError, match='differ in PixelSpacing'):
        read_volume(folder)


def test_damaged_pixels_name_the_file(make_slices):
    folder = make_slices(HEIGHTS)
    data = (folder / '1.dcm').read_bytes()
    (folder / '1.dcm').write_bytes(data[:-10])
    with pytest.raises(ValueError, match=r'series: 1\.dcm: '):
        read_volume(folder)
    header = pydicom.dcmread(folder / '0.dcm')
    header.Rows = header.Columns = 60000
    header.save_as(folder / '0.dcm')
    with pytest.raises(ValueError, match='cannot hold them'):
        read_volume(folder / '0.dcm')


@pytest.mark.parametrize('syntax', ['ExplicitVRBigEndian', 'ImplicitVRLittleEndian',
                                    'DeflatedExplicitVRLittleEndian', 'RLELossless',
                                    'JPEGLSLossless', 'JPEG2000Lossless'])  # fmt: skip
def test_every_storage_gives_the_same_values(make_slices, rng, syntax):
    pixels = rng.integers(-1000, 3000, (3, 16, 16))
    folder = make_slices(HEIGHTS, pixels)
    expected = read_volume(folder).array
    uid = getattr(pydicom.uid, syntax)
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        try:
            if uid.is_compressed and not uid.is_deflated:
                dataset.compress(uid, generate_instance_uid=False)
            else:
                if syntax == 'ExplicitVRBigEndian':
                    dataset.PixelData = dataset.pixel_array.astype('>i2').tobytes()
                dataset.file_meta.TransferSyntaxUID = uid
        except (RuntimeError, NotImplementedError) as error:
            pytest.skip(f'no encoder: {error}')
        pydicom.dcmwrite(path, dataset, implicit_vr=uid.is_implicit_VR,
                         little_endian=uid.is_little_endian)  # fmt: skip
    volume = read_volume(folder)
    np.testing.assert_array_equal(volume.array, expected)
    assert volume.array.dtype.isnative


def test_frames_of_one_file_are_sorted_too(tmp_path, make_slices):
    highdicom = pytest.importorskip('highdicom')
    folder = make_slices(HEIGHTS, RescaleSlope=1, RescaleIntercept=-1000,
                         ImageType=['ORIGINAL', 'PRIMARY', 'AXIAL'],
                         AcquisitionNumber=1, Manufacturer='x')  # fmt: skip
    slices = [pydicom.dcmread(path) for path in sorted(folder.iterdir())]
    enhanced = highdicom.legacy.LegacyConvertedEnhancedCTImage(
        slices, series_instance_uid='1.5', series_number=1, sop_instance_uid='1.6',
        instance_number=1,
    )  # fmt: skip
    enhanced.save_as(tmp_path / 'multi.dcm')
    volume, expected = read_volume(tmp_path / 'multi.dcm'), read_volume(folder)
    np.testing.assert_array_equal(volume.array, expected.array)
    np.testing.assert_allclose(volume.affine, expected.affine, atol=1e-12)
    # Which frame is which slice is remembered for what is written back.
    mask = (volume.array == -999).astype(np.uint8)
    write_volume(volume.replace_array(mask), tmp_path / 'seg.dcm', like=volume)
    from mmmed.io import read_segmentation

    again = read_segmentation(tmp_path / 'seg.dcm', like=volume)
    np.testing.assert_array_equal(again.array, mask)
    assert mask.any(axis=(1, 2)).tolist() == [True, False, False]


def test_without_pydicom_it_is_said_what_to_install(make_slices, monkeypatch):
    import sys

    folder = make_slices(HEIGHTS)
    monkeypatch.setitem(sys.modules, 'pydicom', None)
    with pytest.raises(ImportError, match=r'pip install "mmmed\[dicom\]"'):
        read_volume(folder)
