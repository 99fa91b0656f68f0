"""Small series on disk: DICOM, NIfTI, pictures."""

import numpy as np
import pytest

from mmmed.structures import Volume


@pytest.fixture
def make_mr(tmp_path):
    """A function that writes a small MR series and returns its folder."""
    pytest.importorskip('pydicom', reason='DICOM is an optional extra')
    from mmmed.io.dicom_writing import write_series

    def make(folder, *, uid='1.2.3', patient='P1', heights=(0, 3, 6), names=''):
        """Files are called ``<names>0.dcm`` and so on."""
        import pydicom

        array = np.arange(24 * len(heights), dtype=np.int16).reshape(-1, 4, 6)
        volume = Volume(array, (3.0, 0.75, 0.5))
        target = tmp_path / folder
        files = write_series(volume, target / 'new', patient_id=patient, series=uid)
        for index, (path, height) in enumerate(zip(files, heights, strict=True)):
            dataset = pydicom.dcmread(path)
            dataset.SeriesInstanceUID = uid
            dataset.ImagePositionPatient[2] = height
            dataset.save_as(target / f'{names}{index}.dcm')
            path.unlink()
        (target / 'new').rmdir()
        return target

    return make
