import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmmed.functional.lesion_strata import (
    NO_LESION,
    STRATUM_EDGES,
    assign_strata,
    get_edges,
    name_strata,
)


@pytest.mark.parametrize('level', STRATUM_EDGES)
def test_an_edge_belongs_to_the_stratum_below_it(level):
    edges = np.array(STRATUM_EDGES[level])
    assert assign_strata(edges, level).tolist() == [0, 1, 2, 3, 4]
    assert assign_strata(edges + 1, level).tolist() == [1, 2, 3, 4, 5]
    assert assign_strata(edges, level, closed='low').tolist() == [1, 2, 3, 4, 5]
    assert assign_strata(edges - 1, level, closed='low').tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize('closed', ['high', 'low'])
def test_no_lesion_is_in_no_stratum(closed):
    found = assign_strata([[0, 1], [10**7, 0]], 'volume', closed=closed)
    assert found.tolist() == [[NO_LESION, 0], [5, NO_LESION]]
    assert found.dtype == np.int8


def test_edges_are_in_mm_and_not_in_pixels():
    # 100 pixels of 1.5 x 2 mm are 300 mm2; of 1 mm, 100 mm2.
    assert assign_strata([100, 100], 'axial', element_size=[3.0, 1.0]).tolist() == [
        1,
        0,
    ]
    # 625 voxels of 2 mm are 5000 mm3, the upper edge of the first stratum.
    assert assign_strata([625, 626], 'volume', element_size=8.0).tolist() == [0, 1]


@given(st.integers(1, 10**6), st.sampled_from([0.9999998, 1.0000002]))
def test_rounded_spacing_moves_nobody(size, element_size):
    for closed in ('high', 'low'):
        exact = assign_strata(size, 'sagittal', closed=closed)
        found = assign_strata(
            size, 'sagittal', element_size=element_size, closed=closed
        )
        assert found == exact


def test_published_counts_of_a_table():
    """Sizes at the middle of each published stratum, counted back."""
    counts = [12622, 4203, 3571, 3452, 1457, 1076]
    sizes = np.repeat([100, 350, 750, 1500, 2500, 4000], counts)
    assert np.bincount(assign_strata(sizes, 'axial')).tolist() == counts


def test_own_edges_and_none():
    assert assign_strata([1, 10, 11], [10]).tolist() == [0, 0, 1]
    assert assign_strata([1, 10**9], []).tolist() == [0, 0]
    assert name_strata([], 'px') == ['any px']
    assert name_strata('volume', 'mm³')[::5] == ['≤ 5,000 mm³', '> 200,000 mm³']
    assert len(name_strata('coronal')) == 6


@pytest.mark.parametrize('edges', [[0, 5], [5, 5], [7, 3], [1, float('inf')]])
def test_edges_must_rise(edges):
    with pytest.raises(ValueError, match='rising finite sizes'):
        get_edges(edges)


def test_bad_calls_are_named():
    with pytest.raises(ValueError, match="no level 'oblique', expected one of volume"):
        get_edges('oblique')
    with pytest.raises(ValueError, match='leave cases without a mask out'):
        assign_strata([3, -1], 'axial')
    with pytest.raises(ValueError, match='element_size > 0'):
        assign_strata([3], 'axial', element_size=0)
    with pytest.raises(ValueError, match="closed is 'both'"):
        assign_strata([3], 'axial', closed='both')
