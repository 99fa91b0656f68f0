import numpy as np
import pytest

from mmmed.visualization import encode_figure
from mmmed.visualization.lesion_montage import MontageItem, plot_lesion_montage


def make_item(name='tiny', *, lesion=True):
    image = np.random.default_rng(0).normal(100, 10, (12, 30, 40)).astype(np.float32)
    label = np.zeros(image.shape, np.uint8)
    label[2:10, 5:25, 6:30] = 1
    if lesion:
        label[4:6, 10:14, 9:13] = 2
    return MontageItem(name, image, label, (4.0, 1.5, 1.5))


def test_three_panels_a_scan_with_the_contour_in_two():
    figure = plot_lesion_montage([make_item(), make_item('mix')] * 2, title='Lesions')
    shown = [axis for axis in figure.axes if axis.images]
    assert len(shown) == 12
    contours = [bool(axis.collections) for axis in shown[:3]]
    assert contours == [False, True, True]
    assert 'n = 4 scans' in figure.get_suptitle()
    assert encode_figure(figure)[:4] == b'\x89PNG'


def test_slices_go_through_the_most_lesion_and_right_is_left():
    item = make_item()
    item.image[:] = 0
    item.image[4, 11, 35] = 1000  # right of the organ
    figure = plot_lesion_montage([item], title='One', per_row=3)
    axial = np.asarray(figure.axes[0].images[0].get_array())
    assert axial.shape == (30, 40)
    assert axial[30 - 1 - 11, 40 - 1 - 35] == 1000
    coronal = figure.axes[2].images[0].get_array()
    assert coronal.shape == (12, 40)
    assert figure.axes[2].get_aspect() == pytest.approx(4 / 1.5)


def test_no_lesion_shows_the_organ_and_no_scan_is_refused():
    figure = plot_lesion_montage([make_item(lesion=False)], title='None')
    assert not figure.axes[1].collections
    with pytest.raises(ValueError, match='no scans'):
        plot_lesion_montage([], title='None')
