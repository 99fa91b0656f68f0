"""Files of every format, made small."""

import numpy as np
import pytest

from mmmed.structures import Volume

# Columns: Z, Y, X; oblique, 3 x 0.7 x 0.9 mm.
_C, _S = np.cos(0.3), np.sin(0.3)
OBLIQUE = np.array(
    [
        [0.0, -0.7 * _S, 0.9 * _C, -20.5],
        [0.0, 0.7 * _C, 0.9 * _S, 33.25],
        [3.0, 0.0, 0.0, -7.125],
        [0.0, 0.0, 0.0, 1.0],
    ]
)


@pytest.fixture
def oblique_volume(rng) -> Volume:
    array = rng.integers(-1000, 2000, (3, 4, 5)).astype(np.int16)
    return Volume(array, (3.0, 0.7, 0.9), OBLIQUE)


@pytest.fixture
def make_slices(tmp_path):
    """A function that writes DICOM slices and returns their folder."""
    pydicom = pytest.importorskip('pydicom', reason='DICOM is an optional extra')
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    def make(
        positions,
        pixels=None,
        *,
        folder='series',
        orientation=(1, 0, 0, 0, 1, 0),
        spacing=(0.75, 0.5),
        uid='1.2.3',
        names=None,
        **tags,
    ):
        target = tmp_path / folder
        target.mkdir(parents=True, exist_ok=True)
        for index, position in enumerate(positions):
            plane = np.full((4, 6), index) if pixels is None else pixels[index]
            dataset = Dataset()
            dataset.file_meta = FileMetaDataset()
            dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
            dataset.SOPClassUID = CTImageStorage
            dataset.SOPInstanceUID = generate_uid(
                entropy_srcs=[uid, folder, str(index), str(position)]
            )
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
            dataset.Modality = 'CT'
            dataset.SeriesInstanceUID, dataset.StudyInstanceUID = uid, '1.2'
            dataset.FrameOfReferenceUID = '1.2.9'
            dataset.PatientID, dataset.PatientName = 'P1', 'Phantom'
            dataset.PatientBirthDate = dataset.PatientSex = dataset.StudyID = ''
            dataset.StudyDate = dataset.StudyTime = dataset.AccessionNumber = ''
            dataset.ReferringPhysicianName = ''
            dataset.SeriesNumber, dataset.InstanceNumber = 1, index + 1
            if position is not None:
                dataset.ImagePositionPatient = [float(p) for p in position]
                dataset.ImageOrientationPatient = [float(p) for p in orientation]
            dataset.PixelSpacing, dataset.SliceThickness = list(spacing), 2.0
            dataset.Rows, dataset.Columns = plane.shape
            dataset.SamplesPerPixel, dataset.PhotometricInterpretation = (
                1,
                'MONOCHROME2',
            )
            dataset.BitsAllocated = dataset.BitsStored = 16
            dataset.HighBit, dataset.PixelRepresentation = 15, 1
            dataset.PixelData = np.asarray(plane, dtype='<i2').tobytes()
            for key, value in tags.items():
                setattr(dataset, key, value[index] if type(value) is tuple else value)
            name = names[index] if names else f'{index}.dcm'
            pydicom.dcmwrite(target / name, dataset, enforce_file_format=True)
        return target

    return make
