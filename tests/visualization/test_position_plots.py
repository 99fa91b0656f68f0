import numpy as np

from mmmed.visualization.position_plots import plot_lesion_positions


def test_every_lesion_is_in_every_view_with_sides_named():
    positions = [(0.1, 0.2, 0.9), (0.5, 0.6, 0.3)]
    figure = plot_lesion_positions(positions, [4, 16], title='Place')
    for axis, columns in zip(figure.axes, [(2, 1), (2, 0), (1, 0)], strict=True):
        offsets = np.asarray(axis.collections[0].get_offsets())
        assert np.allclose(offsets, np.array(positions)[:, columns])
        assert axis.get_xlim() == (1, 0)
    # Seen from below and from the front, the patient's right is on the left.
    assert figure.axes[0].get_xticklabels()[0].get_text() == 'right'
    assert 'n = 2' in figure.get_suptitle()


def test_no_lesion_is_said():
    figure = plot_lesion_positions([], [], title='Place')
    assert figure.axes[0].texts[0].get_text() == 'no lesion'
