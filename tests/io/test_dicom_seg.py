import numpy as np
import pytest

from mmmed.io import (
    Segment,
    read_segmentation,
    read_volume,
    write_segmentation,
    write_volume,
)
from mmmed.structures import Volume

pydicom = pytest.importorskip('pydicom', reason='DICOM is an optional extra')
pytest.importorskip('highdicom', reason='DICOM is an optional extra')

HEIGHTS = [(0, 0, 6), (0, 0, 0), (0, 0, 9), (0, 0, 3)]


@pytest.fixture
def scan(make_slices):
    return read_volume(make_slices(HEIGHTS))


@pytest.fixture
def labels():
    labels = np.zeros((4, 4, 6), np.uint8)
    labels[1, :2, 1:4] = 1
    labels[2, 1:, 5] = 3
    return labels


@pytest.mark.parametrize('orientation', ['SPL', 'RAI'])
def test_labels_return_in_any_orientation(tmp_path, scan, labels, orientation):
    mask = Volume(labels, scan.spacing, scan.affine).reorient(orientation)
    write_volume(mask, tmp_path / 'seg.dcm', like=scan)
    again = read_segmentation(tmp_path / 'seg.dcm', like=scan)
    np.testing.assert_array_equal(again.array, labels)
    np.testing.assert_array_equal(again.affine, scan.affine)


def test_without_the_scan_only_slices_with_segments_are_there(tmp_path, scan, labels):
    write_volume(scan.replace_array(labels), tmp_path / 'seg.dcm')
    alone = read_volume(tmp_path / 'seg.dcm')
    assert alone.source.format == 'dicom-seg'
    alone = alone.reorient('SPL')
    np.testing.assert_array_equal(alone.array, labels[1:3])
    assert alone.affine[2, 3] == 3  # mm: the second slice


def test_the_source_is_referenced(tmp_path, scan, labels):
    write_volume(scan.replace_array(labels), tmp_path / 'seg.dcm')
    seg = pydicom.dcmread(tmp_path / 'seg.dcm')
    (series,) = seg.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == '1.2.3'
    assert len(series.ReferencedInstanceSequence) == 4
    assert (seg.PatientID, seg.StudyInstanceUID) == ('P1', '1.2')
    assert seg.FrameOfReferenceUID == '1.2.9'


def test_segments_keep_their_names_and_codes(tmp_path, scan, labels):
    organ = ('91723000', 'SCT', 'Anatomical structure')
    segments = [
        Segment(1, 'Liver', organ, ('10200004', 'SCT', 'Liver')),
        Segment(2, 'Spleen', organ, ('78961009', 'SCT', 'Spleen')),
        Segment(3, 'Drawn', algorithm=None),
    ]
    write_segmentation(
        scan.replace_array(labels), tmp_path / 'seg.dcm', segments=segments
    )
    header = read_segmentation(tmp_path / 'seg.dcm').source.header
    assert list(header.segments) == segments


def test_segments_may_overlap(tmp_path, scan, labels):
    both = np.stack([labels > 0, labels == 3]).astype(np.uint8)
    write_segmentation(
        scan.replace_array(both),
        tmp_path / 'seg.dcm',
        segments=[Segment(1, 'Cord'), Segment(2, 'Lesion')],
    )
    again = read_segmentation(tmp_path / 'seg.dcm', like=scan)
    np.testing.assert_array_equal(again.array, both)
    assert [one.label for one in again.source.header.segments] == ['Cord', 'Lesion']


def test_images_without_names_and_dates_will_do(tmp_path, scan, labels):
    for path in (tmp_path / 'series').iterdir():
        dataset = pydicom.dcmread(path)
        for name in ('AccessionNumber', 'StudyDate', 'PatientID', 'PatientName'):
            delattr(dataset, name)
        dataset.save_as(path)
    write_volume(scan.replace_array(labels), tmp_path / 'seg.dcm')
    again = read_segmentation(tmp_path / 'seg.dcm', like=scan)
    np.testing.assert_array_equal(again.array, labels)


def test_an_empty_mask_is_a_result(tmp_path, scan):
    empty = scan.replace_array(np.zeros(scan.shape, bool))
    write_volume(empty, tmp_path / 'seg.dcm')
    again = read_segmentation(tmp_path / 'seg.dcm', like=scan)
    assert again.array.shape == scan.shape
    assert not again.array.any()


@pytest.mark.parametrize(
    ('array', 'segments', 'reason'),
    [
        (np.full((4, 4, 6), -1), None, 'labels are -1'),
        (np.full((4, 4, 6), 5000), None, 'labels are 5000'),
        (np.full((4, 4, 6), 0.5), None, 'expected integers'),
        (np.full((2, 4, 4, 6), 2), None, 'labels are 2 to 2, expected 0 to 1'),
        (np.full((2, 4, 4, 6), 1), [Segment(1, 'a')], 'up to the highest label, 2'),
        (np.full((4, 4, 6), 2), [Segment(1, 'a')], 'up to the highest label, 2'),
        (np.full((4, 4, 6), 2), [Segment(2, 'a')], r'numbered \[2\]'),
    ],
)
def test_what_is_no_label_map_is_refused(tmp_path, scan, array, segments, reason):
    with pytest.raises(ValueError, match=reason):
        write_segmentation(
            scan.replace_array(array), tmp_path / 'seg.dcm', segments=segments
        )
    assert not (tmp_path / 'seg.dcm').exists()


def test_a_mask_without_dicom_source_is_refused(tmp_path, scan, labels):
    with pytest.raises(ValueError, match=r'seg\.dcm: .*pass the scan'):
        write_volume(Volume(labels, (1, 1, 1)), tmp_path / 'seg.dcm')
    with pytest.raises(ValueError, match=r'seg\.dcm: .*mm apart'):
        write_volume(Volume(labels, (1, 1, 1)), tmp_path / 'seg.dcm', like=scan)


def test_a_segmentation_of_another_scan_is_refused(tmp_path, make_slices, scan, labels):
    write_volume(scan.replace_array(labels), tmp_path / 'seg.dcm')
    other = read_volume(make_slices([(1, 0, 0), (1, 0, 3)], folder='other'))
    with pytest.raises(ValueError, match=r'seg\.dcm: .*not on the voxels of the scan'):
        read_segmentation(tmp_path / 'seg.dcm', like=other)


def test_an_image_is_no_segmentation(make_slices):
    path = make_slices(HEIGHTS[:1]) / '0.dcm'
    with pytest.raises(ValueError, match=r'0\.dcm: no readable DICOM-SEG'):
        read_segmentation(path)
