"""Folders of slices as volumes: order, grey values, pages, the axes they may have."""

from pathlib import Path

import numpy as np
import pytest

from mmmed.inference.cascade.pictures import (
    place_pictures,
    read_pictures,
    sort_naturally,
)
from mmmed.io import write_image, write_volume
from mmmed.structures import Volume

GREY = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


def test_numbers_in_names_count_as_numbers():
    names = ['s10.png', 's9.png', 's09b.png', 'a.png', '2.png', '10.png']
    ordered = sort_naturally(Path(name) for name in names)
    assert [path.name for path in ordered] == [
        '2.png', '10.png', 'a.png', 's09b.png', 's9.png', 's10.png',
    ]  # fmt: skip


def test_grey_pictures_in_three_channels_and_pages(tmp_path):
    write_image(tmp_path / '0.png', GREY[0])
    write_image(tmp_path / '1.png', np.stack([GREY[1]] * 3, axis=-1))
    paths = [tmp_path / '0.png', tmp_path / '1.png']
    np.testing.assert_array_equal(read_pictures(paths).array, GREY)
    write_volume(Volume(GREY, (1, 1, 1)), tmp_path / 'stack.tif')
    volume = read_pictures([tmp_path / 'stack.tif'])
    np.testing.assert_array_equal(volume.array, GREY)
    assert 'claim no place in a patient' in volume.source.notes[0]
    with pytest.raises(ValueError, match='2 pages beside other pictures'):
        read_pictures([*paths, tmp_path / 'stack.tif'])


@pytest.mark.parametrize('plane', ['axial', 'coronal', 'sagittal'])
def test_pictures_are_taken_as_radiologists_look_at_them(plane):
    placed = place_pictures(Volume(GREY, (1, 1, 1)), plane)
    turned = placed.reorient()
    axis = {'axial': 0, 'coronal': 1, 'sagittal': 2}[plane]
    assert turned.shape[axis] == 2
    # The first row of a picture is at the top: superior, or anterior if axial.
    top = {'axial': 1, 'coronal': 0, 'sagittal': 0}[plane]
    first = np.take(turned.array, -1, axis=top)
    assert set(first.ravel().tolist()) == set(GREY[:, 0].ravel().tolist())
