"""Numbers and names that plots of classifiers show."""

import numpy as np
import pytest

from mmmed.visualization.classification_plots import (
    plot_confusion,
    plot_matrix,
    plot_reliability,
    plot_roc,
    plot_routing,
    shorten,
)


def read_cells(figure):
    (axis,) = figure.axes
    return {text.get_position(): text.get_text() for text in axis.texts}


def read_labels(figure):
    (axis,) = figure.axes
    return [
        [t.get_text() for t in a.get_ticklabels()] for a in (axis.xaxis, axis.yaxis)
    ]


def test_confusion_has_the_truth_in_rows():
    figure = plot_confusion([[8, 2], [0, 0]], ['hcc', '$x$'], title='Confusion')
    assert read_cells(figure) == {(0, 0): '8', (1, 0): '2', (0, 1): '0', (1, 1): '0'}
    (axis,) = figure.axes
    np.testing.assert_allclose(axis.images[0].get_array(), [[0.8, 0.2], [0, 0]])
    assert (axis.get_xlabel(), axis.get_ylabel()) == ('predicted', 'true')


def test_matrix_tells_signs_and_what_is_missing():
    values = [[0.5, -0.251, 0.001], [np.nan, 0, -0.001]]
    figure = plot_matrix(values, ['t2', 'adc'], ['a', 'b', 'c'], title='x', marked=[1])
    shown = [read_cells(figure)[k, row] for row in range(2) for k in range(3)]
    assert shown[:3] == ['+0.50', '-0.25', '0']
    assert shown[4:] == ['0', '0']
    assert len(shown[3]) == 1
    assert shown[3] != '0'
    (axis,) = figure.axes
    assert axis.images[0].get_clim() == (-0.5, 0.5)
    weights = [label.get_fontweight() for label in axis.get_yticklabels()]
    assert weights[1] == 'bold' != weights[0]
    with pytest.raises(ValueError, match='for 1 rows'):
        plot_matrix(values, ['t2'], ['a', 'b', 'c'], title='x')


def test_routing_has_a_dot_for_each_sequence_that_is_read():
    routing = {'fat': ['ip', 'op'], 'adc': ['adc']}
    figure = plot_routing(routing, ['op', 't2', 'ip', 'adc'], title='Routing')
    (axis,) = figure.axes
    dots = [tuple(p) for part in axis.collections for p in part.get_offsets()]
    assert sorted(dots) == [(0, 0), (2, 0), (3, 1)]
    assert read_labels(figure) == [['op', 't2', 'ip', 'adc'], ['fat', 'adc']]


def test_curves_and_points():
    curves = {'cyst': (np.array([0.0, 0, 1]), np.array([0.0, 1, 1]), 1.0)}
    (axis,) = plot_roc(curves, title='ROC').axes
    assert [t.get_text() for t in axis.get_legend().get_texts()] == ['cyst (1.00)']
    points = [{'confidence': 0.9, 'accuracy': 0.5, 'n': 4}]
    (axis,) = plot_reliability(points, title='Reliability').axes
    assert axis.collections[0].get_offsets().tolist() == [[0.9, 0.5]]
    assert [text.get_text() for text in axis.texts] == ['4']


def test_long_names_are_cut():
    assert shorten('a' * 18) == 'a' * 18
    assert len(shorten('a' * 19)) == 18
