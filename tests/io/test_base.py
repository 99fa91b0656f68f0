import numpy as np
import pytest

from mmmed.io import read_volume, write_volume
from mmmed.structures import Volume


@pytest.mark.parametrize('name', ['x.gif', 'x', 'x.nii.zip', 'nii'])
def test_an_unknown_suffix_is_named_with_the_known_ones(tmp_path, name):
    with pytest.raises(ValueError, match=r'\.nii, \.nii\.gz'):
        read_volume(tmp_path / name)
    with pytest.raises(ValueError, match=r'\.nii, \.nii\.gz'):
        write_volume(Volume(np.zeros((1, 1, 1)), (1, 1, 1)), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_volume_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none\.nii'):
        read_volume(tmp_path / 'none.nii')
