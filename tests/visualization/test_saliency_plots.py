"""Lesions the right way round, maps at the right slice."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from mmmed.visualization.saliency_plots import (
    SequenceImage,
    choose_slice,
    plot_sequence_maps,
    plot_sequence_montage,
    plot_target_maps,
)

SHAPE = (3, 6, 8)


@pytest.fixture
def image():
    array = np.arange(144, dtype=np.float32).reshape(SHAPE)
    box = np.zeros(SHAPE, bool)
    box[1:, 1:3, 2:7] = True
    return SequenceImage('t2', array, (5.0, 2.0, 1.0), 'SAR', box)


def test_the_patients_right_is_left_in_the_picture(image):
    figure = plot_sequence_montage([image, replace(image, orientation=None)], title='x')
    seen, stored = figure.axes
    np.testing.assert_array_equal(
        seen.images[0].get_array(), image.image[1, ::-1, ::-1]
    )
    np.testing.assert_array_equal(stored.images[0].get_array(), image.image[1])
    assert [t.get_text() for t in seen.texts] == ['2 mm', 'R', 'L']
    assert not {'R', 'L'} & {t.get_text() for t in stored.texts}
    assert seen.get_aspect() == 2.0
    boxes = [
        next(p for p in axis.patches if isinstance(p, Rectangle)).get_bbox().bounds
        for axis in (seen, stored)
    ]
    # Rows 1 to 2 of 6 are 3 to 4 from the other end, columns 2 to 6 of 8 are 1 to 5.
    assert boxes == [(0.5, 2.5, 5, 2), (1.5, 0.5, 5, 2)]


def test_a_missing_sequence_shows_nothing(image):
    figure = plot_sequence_montage([replace(image, is_available=False)], title='x')
    (axis,) = figure.axes
    assert not axis.images
    assert [text.get_text() for text in axis.texts] == ['missing']
    with pytest.raises(ValueError, match='no sequences'):
        plot_sequence_montage([], title='x')


def test_maps_hide_nothing(image):
    values = np.zeros(SHAPE)
    values[2, 0, 7] = -0.4
    maps = {'Grad-CAM': (np.abs(values), 0.4, False), 'hidden': (values, 0.8, True)}
    figure = plot_sequence_maps(image, maps, depth=2)
    panels = [axis for axis in figure.axes if axis.get_title('left')]
    assert [p.get_title('left') for p in panels] == [
        'slice 3 of 3',
        'Grad-CAM',
        'hidden',
    ]
    for panel, strength, low in ((panels[1], 1, 0), (panels[2], 0.5, -0.8)):
        overlay = panel.images[1]
        alpha = overlay.get_alpha()
        assert alpha.max() == pytest.approx(0.4 * strength)
        assert np.argwhere(alpha).tolist() == [[5, 0]]
        assert overlay.get_clim()[0] == low


def test_the_slice_of_the_greatest_map():
    values = np.zeros(SHAPE)
    values[2, 0, 0] = -1
    assert choose_slice(3, values) == 2
    assert choose_slice(3, None, np.zeros(SHAPE)) == 1
    assert choose_slice(3, np.full(SHAPE, np.nan), values) == 2


def test_targets_without_a_map_keep_their_place(image):
    items = [('a', image, np.ones(SHAPE)), ('b', image, None)]
    first, second = plot_target_maps(items).axes
    assert [len(axis.images) for axis in (first, second)] == [2, 1]
    with pytest.raises(ValueError, match='no targets'):
        plot_target_maps([])
