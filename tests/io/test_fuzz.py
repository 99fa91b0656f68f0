"""Damaged files: one error that names the file, memory in proportion to its size."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmmed.io import read_volume, write_volume
from mmmed.structures import Volume

# Stated limit: deflate gives at most 1032 bytes a byte and scaling makes eight of
# one; compressed DICOM and pictures are held below 4096. 4 MiB is the machinery.
PER_BYTE, CONSTANT = 8 * 1032, 1 << 22
HEADERS = {'.nii': 352, '.nii.gz': 200, '.nrrd': 400, '.mha': 500}
SUFFIXES = ['.nii', '.nii.gz', '.nrrd', '.mha', '.png', '.jpg', '.tif']

DAMAGES = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),  # where, as a share of the region
        st.booleans(),  # in the header, or anywhere
        st.one_of(st.sampled_from([0, 1, 127, 128, 255]), st.integers(0, 255)),
    ),
    min_size=1,
    max_size=12,
)
SETTINGS = settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def damage(data: bytes, header: int, damages, kept: float) -> bytes:
    result = bytearray(data)
    for share, in_header, value in damages:
        region = min(header, len(data)) if in_header else len(data)
        result[int(share * region)] = value
    return bytes(result[: int(kept * len(result)) + 1])


def check(path, data):
    path.write_bytes(data)
    message = f'{path}: '
    tracemalloc.start()
    try:
        volume = read_volume(path, nonfinite=0)
    except ValueError as error:
        message = str(error)
    else:
        assert np.isfinite(volume.affine).all()
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert message.startswith(f'{path}: ')
    assert peak <= PER_BYTE * len(data) + CONSTANT


@pytest.mark.parametrize('suffix', SUFFIXES)
@given(damages=DAMAGES, kept=st.sampled_from([1.0, 1.0, 1.0, 0.9, 0.3]))
@SETTINGS
def test_damaged_files(tmp_path, suffix, damages, kept):
    rng = np.random.default_rng(0)
    path = tmp_path / f'x{suffix}'
    picture = suffix in ('.png', '.jpg', '.tif')
    shape, kind = ((1, 20, 30), np.uint8) if picture else ((6, 7, 8), np.int16)
    write_volume(Volume(rng.integers(0, 255, shape).astype(kind), (3, 2, 1)), path)
    header = HEADERS.get(suffix, 200)
    check(path, damage(path.read_bytes(), header, damages, kept))


@pytest.mark.parametrize('compress', [False, True])
@given(damages=DAMAGES, kept=st.sampled_from([1.0, 1.0, 1.0, 0.9, 0.3]))
@SETTINGS
def test_damaged_dicom(make_slices, compress, damages, kept):
    pydicom = pytest.importorskip('pydicom', reason='DICOM is an optional extra')
    pixels = np.random.default_rng(0).integers(0, 255, (1, 16, 16))
    path = make_slices([(0, 0, 0)], pixels) / '0.dcm'
    if compress:
        dataset = pydicom.dcmread(path)
        dataset.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
        dataset.save_as(path)
    read_volume(path)  # what imports take is not the file's
    data = path.read_bytes()
    check(path, damage(data, len(data), damages, kept))


@pytest.mark.parametrize('value', [b'\xff\xff', b'\x00\x80', b'\x00\x00', b'\xff\x7f'])
@pytest.mark.parametrize('field', range(8))
@pytest.mark.parametrize('suffix', ['.nii', '.nii.gz'])
def test_every_length_of_a_nifti_header(tmp_path, suffix, field, value):
    import gzip

    path = tmp_path / f'x{suffix}'
    write_volume(Volume(np.zeros((6, 7, 8), np.int16), (3, 2, 1)), tmp_path / 'x.nii')
    data = bytearray((tmp_path / 'x.nii').read_bytes())
    data[40 + 2 * field : 42 + 2 * field] = value
    check(path, gzip.compress(data) if suffix == '.nii.gz' else bytes(data))
