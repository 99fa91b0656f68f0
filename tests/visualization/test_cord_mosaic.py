"""Tiles of a spine: upright, contours along pixels, the same size with and without."""

import io

import numpy as np
import pytest
from matplotlib.image import imread

from mmmed.visualization.cord_mosaic import (
    DPI,
    CordScene,
    CordTile,
    cut_masks,
    find_edges,
    plot_cord_tiles,
)
from mmmed.visualization.figure import encode_figure

SHAPE = (6, 10, 8)


@pytest.fixture
def scene():
    """Axes (S, A, R); the lesion lies high, in front and to the right."""
    cord, lesion = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    cord[:, 3:7, 2:6] = True
    lesion[4:6, 6, 5] = True
    image = np.full(SHAPE, 100.0, np.float32)
    return CordScene(image, cord, lesion, (3.0, 1.0, 1.0), (0.0, 200.0))


def test_edges_follow_the_pixels():
    mask = np.zeros((4, 5), bool)
    mask[1:3, 1:4] = True
    mask[3, 4] = True
    lines = {tuple(map(tuple, line)) for line in find_edges(mask).astype(int)}
    assert lines == {
        ((1, 1), (1, 4)), ((3, 1), (3, 4)), ((1, 1), (3, 1)), ((1, 4), (3, 4)),
        ((3, 4), (3, 5)), ((4, 4), (4, 5)), ((3, 4), (4, 4)), ((3, 5), (4, 5)),
    }  # fmt: skip
    assert find_edges(np.zeros((2, 3), bool)).shape == (0, 2, 2)


@pytest.mark.parametrize(
    ('plane', 'index', 'corner'),
    [('axial', 5, (3, 2)), ('sagittal', 5, (0, 3)), ('coronal', 6, (0, 2))],
)
def test_upright_with_right_and_front_to_the_left(scene, plane, index, corner):
    size = {'axial': (10, 8), 'sagittal': (6, 10), 'coronal': (6, 8)}[plane]
    _, lesion = cut_masks(scene, CordTile(plane, index, 0, 0, *size))
    assert tuple(np.argwhere(lesion)[0]) == corner
    # A window that leaves the picture at both sides is filled.
    _, wide = cut_masks(scene, CordTile(plane, index, -2, -3, 14, 16))
    assert tuple(np.argwhere(wide)[0]) == (corner[0] + 2, corner[1] + 3)
    assert wide.sum() == lesion.sum()


def test_with_and_without_contours_the_same_pixels_elsewhere(scene):
    tiles = [CordTile('axial', k, 0, 0, 10, 8, f'{k}') for k in (5, 3, 0)]
    pictures = [
        imread(
            io.BytesIO(
                encode_figure(
                    plot_cord_tiles(
                        scene, tiles, columns=2, width_px=200, overlay=overlay
                    ),
                    dpi=DPI,
                )
            )
        )
        for overlay in (True, False)
    ]
    assert pictures[0].shape == pictures[1].shape
    # Two rows and columns of 10 x 8 mm, and a gap of 0.12 mm.
    assert pictures[0].shape[1] == 200
    assert pictures[0].shape[0] == pytest.approx(200 * 20.12 / 16.12, abs=1)
    changed = np.any(pictures[0] != pictures[1], axis=2)
    assert 0.01 < changed.mean() < 0.4
    # Cord and lesion lie within the middle of a tile.
    assert not changed[:30].any()
    assert not changed[:, 185:].any()


def test_tiles_that_do_not_fit_together_are_refused(scene):
    odd = [CordTile('axial', 0, 0, 0, 10, 8), CordTile('coronal', 0, 0, 0, 10, 8)]
    for tiles in ([], odd):
        with pytest.raises(ValueError, match='one plane'):
            plot_cord_tiles(scene, tiles, columns=2)
