import numpy as np
import pytest

from mmmed.io import write_volume
from mmmed.structures import Volume


def make_cube(corner, size=4, value=1):
    array = np.zeros((12, 14, 10), np.uint8)
    array[tuple(slice(c, c + size) for c in corner)] = value
    return array


@pytest.fixture
def mask_folders(tmp_path):
    """``pred``, ``other`` and ``ref`` with three cases of label 1.

    Dice of ``pred``: one 0.75 (shifted by a quarter), two 1, three 128 / 136 (a small
    lesion of 8 voxels is missed). ``other``: 0.5, 0.75 and nothing predicted.
    """
    two = make_cube((0, 0, 0)) | make_cube((8, 10, 6), 2)
    cases = {
        'ref': {'one': make_cube((2, 2, 2)), 'two': make_cube((4, 4, 4)), 'three': two},
        'pred': {
            'one': make_cube((3, 2, 2)),
            'two': make_cube((4, 4, 4)),
            'three': make_cube((0, 0, 0)),
        },
        'other': {
            'one': make_cube((4, 2, 2)),
            'two': make_cube((5, 4, 4)),
            'three': np.zeros((12, 14, 10), np.uint8),
        },
    }
    for folder, masks in cases.items():
        for name, array in masks.items():
            path = tmp_path / folder / f'{name}.nii.gz'
            write_volume(Volume(array, (3.0, 1.0, 2.0)), path)
    return tmp_path
