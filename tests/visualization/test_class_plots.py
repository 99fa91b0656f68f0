import numpy as np
import pytest

from mmmed.visualization.class_plots import plot_availability, plot_class_counts


def test_bars_are_stacked_by_part():
    counts = {
        'train': {'type': {'a': 3, 'b': 1}, 'mvi': {'no': 2}},
        'val': {'type': {'a': 1, 'b': 0}, 'mvi': {'no': 2}},
    }
    figure = plot_class_counts(counts, title='lesions (n = 5)')
    first, second, third = figure.axes
    widths = [bar.get_width() for bar in first.patches]
    assert widths == [3, 1, 1, 0]
    assert [text.get_text() for text in first.texts] == [' 4', ' 1']
    assert second.get_title(loc='left') == 'mvi'
    assert not third.axison
    with pytest.raises(ValueError, match='no part'):
        plot_class_counts({}, title='x')


def test_availability_has_shares_and_sorts_cases():
    present = np.array([[0, 1], [1, 1], [0, 1], [0, 0]], bool)
    figure = plot_availability(present, ['t2', 'adc'], title='sequences')
    (axis,) = figure.axes
    labels = [label.get_text() for label in axis.get_yticklabels()]
    assert labels == ['t2 (25%)', 'adc (75%)']
    shown = axis.images[0].get_array()
    assert shown.tolist() == [[1, 0, 0, 0], [1, 1, 1, 0]]
    assert '(n = 4)' in figure.get_suptitle()
