"""DICOM trees to NIfTI files: the same voxels on the same grid, once."""

import json

import numpy as np
import pytest

from mmmed.io import list_series, read_series, read_volume
from mmmed.preparation import DicomConverter, InputError
from mmmed.preparation.spine import SpinePreparer
from mmmed.structures import Manifest


def write_series(folder, uid, positions, patient='Doe^Jane', description='T2 sag'):
    """Sagittal slices of 6 x 4 pixels of 0.5 x 0.7 mm at the given x in mm."""
    pydicom = pytest.importorskip('pydicom')
    folder.mkdir(parents=True, exist_ok=True)
    for number, place in enumerate(positions):
        name = f'1.2.826.0.1.3680043.10.{uid}.{number + 1}'
        meta = pydicom.dataset.FileMetaDataset()
        meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = pydicom.uid.MRImageStorage
        meta.MediaStorageSOPInstanceUID = name
        data = pydicom.Dataset()
        data.file_meta = meta
        data.SOPClassUID = meta.MediaStorageSOPClassUID
        data.SOPInstanceUID = name
        data.SeriesInstanceUID = f'1.2.826.0.1.3680043.10.{uid}'
        data.Modality, data.PatientID = 'MR', patient
        data.SeriesDescription, data.SeriesNumber = description, uid
        data.InstanceNumber = number + 1
        data.Rows, data.Columns = 6, 4
        data.PixelSpacing = [0.5, 0.7]
        data.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
        data.ImagePositionPatient = [place, 0, 0]
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, 'MONOCHROME2'
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit, data.PixelRepresentation = 15, 0
        pixels = np.arange(1, 25, dtype='<u2').reshape(6, 4) + 100 * number
        data.PixelData = pixels.tobytes()
        # Nothing in the name tells the order, or that it is DICOM.
        data.save_as(folder / f'f{9 - number}', enforce_file_format=True)


@pytest.fixture
def raw(tmp_path):
    write_series(tmp_path / 'raw' / 'one', 1, (0, 3, 6))
    write_series(tmp_path / 'raw' / 'two', 2, (0, 2, 4, 6), 'Roe^Jim', 'T1 TSE')
    (tmp_path / 'raw' / 'notes.txt').write_text('no image')
    return tmp_path / 'raw'


def test_voxels_and_geometry_are_those_of_the_series(raw, tmp_path):
    out = tmp_path / 'out'
    outcome = DicomConverter().prepare(raw, out, workers=2, quiet=True)
    assert (outcome.status, outcome.exit_code) == ('written', 0)
    for series, record in zip(list_series(raw), outcome.summary['series'], strict=True):
        wanted, found = read_series(series), read_volume(out / record['file'])
        np.testing.assert_array_equal(wanted.array, found.array)
        np.testing.assert_allclose(wanted.grid, found.grid, atol=1e-6)
        assert record['shape'] == [*wanted.shape]
    assert [one['spacing'] for one in outcome.summary['series']] == [
        [3.0, 0.5, 0.7],
        [2.0, 0.5, 0.7],
    ]
    texts = [path.read_text() for path in out.rglob('*.json')]
    names = ' '.join(str(path) for path in out.rglob('*'))
    assert len(texts) == 3
    assert 'Doe' not in ' '.join(texts) + names


def test_a_second_run_goes_on_and_never_overwrites_unasked(raw, tmp_path):
    out = tmp_path / 'out'
    first = DicomConverter().prepare(raw, out, quiet=True)
    lost = out / first.summary['series'][1]['file']
    before = lost.read_bytes()
    lost.unlink()
    again = DicomConverter().prepare(raw, out, quiet=True)
    assert (again.status, again.reused, again.summary) == ('written', 1, first.summary)
    assert lost.read_bytes() == before
    assert DicomConverter().prepare(raw, out, quiet=True).status == 'unchanged'
    lost.write_bytes(b'mine')
    with pytest.raises(InputError, match='--overwrite'):
        DicomConverter().prepare(raw, out, quiet=True)
    DicomConverter().prepare(raw, out, quiet=True, overwrite=True)
    assert lost.read_bytes() == before


def test_uneven_slices_are_refused_and_named(raw, tmp_path):
    write_series(raw / 'three', 3, (0, 2, 4, 9))
    outcome = DicomConverter().prepare(raw, tmp_path / 'out', quiet=True)
    assert outcome.exit_code == 3
    (skipped,) = (f for f in outcome.summary['findings'] if f['skipped'])
    assert skipped['path'] == 'three'
    assert '--irregular' in skipped['remedy']
    assert len(outcome.summary['series']) == 2
    with pytest.raises(InputError, match='nothing is split'):
        DicomConverter(num_folds=3)


def test_series_are_images_of_the_spine_too(raw, tmp_path):
    preparer = SpinePreparer(num_folds=2)
    outcome = preparer.prepare(raw, tmp_path / 'out', quiet=True)
    manifest = Manifest.read(tmp_path / 'out' / 'manifest.json')
    assert [case.shape for case in manifest.cases] == [(6, 4, 3), (6, 4, 4)]
    sequences = [case.extra['targets']['sequence'] for case in manifest.cases]
    assert sequences == ['T2w', 'T1w']
    assert all(case.seg_map_path is None for case in manifest.cases)
    assert len({case.patient_id for case in manifest.cases}) == 2
    assert 'Doe' not in json.dumps(outcome.summary)
