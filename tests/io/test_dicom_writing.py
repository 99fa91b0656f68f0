"""A volume written as DICOM slices is the same volume when it is read."""

import numpy as np
import pytest

from mmmed.io import list_series, read_volume, write_volume
from mmmed.io.dicom_writing import write_series
from mmmed.structures import Volume

pydicom = pytest.importorskip('pydicom', reason='DICOM is an optional extra')


@pytest.mark.parametrize('letters', ['SAR', 'RSP'])
def test_values_and_geometry_come_back(oblique_volume, tmp_path, letters):
    volume = oblique_volume.reorient(letters)
    files = write_series(volume, tmp_path / 'mr', patient_id='P7', description='T2')
    assert [path.name for path in files][:2] == ['0001.dcm', '0002.dcm']
    again = read_volume(tmp_path / 'mr').reorient(volume.orientation)
    np.testing.assert_array_equal(again.array, volume.array)
    np.testing.assert_allclose(again.grid, volume.grid, atol=1e-9)
    (series,) = list_series(tmp_path / 'mr')
    assert (series.patient_id, series.modality, series.description) == (
        'P7',
        'MR',
        'T2',
    )


def test_wide_and_broken_values_are_scaled(oblique_volume, tmp_path):
    grid = oblique_volume
    values = np.linspace(-2.0, 1.0, grid.array.size).reshape(grid.shape)
    write_series(Volume(values, grid.spacing, grid.grid), tmp_path / 'float')
    again = read_volume(tmp_path / 'float').reorient(grid.orientation)
    assert np.abs(again.array - values).max() < 3.0 / 65535
    high = (grid.array.astype(np.int32) - grid.array.min()) * 20
    write_series(Volume(high, grid.spacing, grid.grid), tmp_path / 'high')
    again = read_volume(tmp_path / 'high').reorient(grid.orientation)
    assert np.abs(again.array - high).max() <= 1


def test_files_are_equal_again_and_carry_a_segmentation(oblique_volume, tmp_path):
    pytest.importorskip('highdicom', reason='DICOM-SEG is an optional extra')
    a = write_series(oblique_volume, tmp_path / 'a')
    b = write_series(oblique_volume, tmp_path / 'b')
    other = write_series(oblique_volume, tmp_path / 'c', series='other')
    assert [p.read_bytes() for p in a] == [p.read_bytes() for p in b]
    assert a[0].read_bytes() != other[0].read_bytes()
    scan = read_volume(tmp_path / 'a')
    mask = scan.replace_array((scan.array > 900).astype(np.uint8))
    write_volume(mask, tmp_path / 'seg.dcm', like=scan)
    seg = pydicom.dcmread(tmp_path / 'seg.dcm')
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == (
        pydicom.dcmread(a[0]).SeriesInstanceUID
    )


def test_what_dicom_cannot_hold_is_refused(oblique_volume, tmp_path):
    stack = np.stack([oblique_volume.array] * 2)
    with pytest.raises(ValueError, match=r'\(2, 3, 4, 5\), expected \(Z, Y, X\)'):
        write_series(Volume(stack, (3.0, 0.7, 0.9)), tmp_path)
    nan = np.full((3, 4, 5), np.nan, np.float32)
    with pytest.raises(ValueError, match='NaN'):
        write_series(Volume(nan, (3.0, 0.7, 0.9)), tmp_path)
    sheared = oblique_volume.grid.copy()
    sheared[:3, 0] = [0.9, 0.0, np.sqrt(9 - 0.81)]
    with pytest.raises(ValueError, match='sheared'):
        write_series(Volume(oblique_volume.array, (3, 0.7, 0.9), sheared), tmp_path)
