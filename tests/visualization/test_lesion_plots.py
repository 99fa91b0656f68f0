import numpy as np
import pytest

from mmmed.visualization import encode_figure, plot_lesion_profile, plot_size_strata


def draw(sizes, strata, edges):
    return plot_size_strata(
        sizes, strata, edges, title='Areas', xlabel='area (mm²)', counted='slices'
    )


def test_every_size_and_count_is_drawn(rng):
    sizes = np.concatenate([rng.lognormal(5, 1, 50), [0.0, -1.0]])
    figure = draw(sizes, {'small': 30, 'large': 20}, [150.0])
    cloud, bars = figure.axes
    assert cloud.get_title(loc='left') == 'Areas (n = 50)'
    points = [line for line in cloud.lines if len(line.get_xdata()) == 50]
    assert np.array_equal(np.sort(points[0].get_xdata()), np.sort(sizes[:50]))
    median = np.median(sizes[:50])
    assert f'median {median:,.0f}' in cloud.get_xlabel()
    assert [bar.get_width() for bar in bars.patches] == [30, 20]
    assert [text.get_text() for text in bars.texts] == ['30 (60.0%)', '20 (40.0%)']
    # Two strata, of which the second has a band from the edge on.
    assert [patch.get_x() for patch in cloud.patches] == [150.0]


@pytest.mark.parametrize('sizes', [[], [0.0], [7.0], [3.0] * 9])
def test_few_or_equal_sizes_have_no_density(sizes):
    figure = draw(sizes, {'any': len(sizes)}, [])
    assert figure.axes[0].collections[:] == []
    assert encode_figure(figure, 'svg').startswith(b'<?xml')


def test_equal_figures_give_equal_bytes(rng):
    sizes = rng.lognormal(5, 1, 20)
    first, second = (draw(sizes, {'a': 1, 'b': 2}, [100.0]) for _ in range(2))
    assert encode_figure(first) == encode_figure(second)


def test_profiles_by_plane():
    figure = plot_lesion_profile(
        {'axial': ([0, 2, 4], [0.0, 0.5, 0.25]), 'coronal': ([0, 1], [1.0, 0.0])},
        title='Where',
        ylabel='subjects',
    )
    axis = figure.axes[0]
    assert [line.get_label() for line in axis.lines] == ['axial', 'coronal']
    assert axis.lines[0].get_ydata().tolist() == [0.0, 0.5, 0.25]
    assert len({line.get_linestyle() for line in axis.lines}) == 2
    empty = plot_lesion_profile({}, title='Where', ylabel='subjects')
    assert empty.axes[0].texts[0].get_text() == 'no slices'
