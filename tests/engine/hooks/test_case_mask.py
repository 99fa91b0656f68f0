"""Masks as files: planes as pictures, volumes where they lie in the patient."""

import numpy as np
import pytest

from mmmed.engine.hooks.case_mask import write_case_mask
from mmmed.io import read_label, read_volume

AFFINE = ((0, 0, -0.8, 9), (0, 2.0, 0, -4), (3.0, 0, 0, -2), (0, 0, 0, 1))


@pytest.fixture
def seg(rng):
    return rng.integers(0, 3, (1, 4, 5, 6)).astype(np.uint8)


def test_a_volume_keeps_its_grid(tmp_path, seg):
    meta = {'case_id': 'a', 'spacing': (3.0, 2.0, 0.8), 'affine': AFFINE}
    path = write_case_mask(tmp_path, seg, meta)
    assert path.name == 'a.nii.gz'
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.array, seg[0])
    np.testing.assert_allclose(volume.grid, AFFINE)
    assert volume.array.dtype == np.uint8


def test_a_volume_without_affine_lies_at_the_origin(tmp_path, seg):
    path = write_case_mask(tmp_path, seg, {'case_id': 'a', 'spacing': (3, 2, 1)})
    assert read_volume(path).spacing == (3.0, 2.0, 1.0)
    with pytest.raises(ValueError, match='no spacing'):
        write_case_mask(tmp_path, seg, {'case_id': 'a'})


def test_a_slice_is_a_picture(tmp_path, seg):
    path = write_case_mask(tmp_path, seg[:, 0], {'case_id': 'b', 'spacing': (1, 1)})
    np.testing.assert_array_equal(read_label(path), seg[0, 0])
