import numpy as np
import pytest

from mmmed.synthesis.automaton_tissue import (
    OUTSIDE,
    classify_tissue,
    count_cells_per_voxel,
    find_reach,
)


def test_levels_are_thirds_of_the_window():
    hu = np.array([-50, 100, 119, 120, 139, 140, 159, 160, 300, 130], np.int16)
    organ = np.ones(10, bool)
    organ[-1] = False
    codes = classify_tissue(hu, organ, (100, 160))
    assert codes.tolist() == [1, 1, 1, 2, 2, 3, 3, 4, 4, OUTSIDE]


@pytest.mark.parametrize(
    ('spacing', 'cells'),
    [((1, 1, 1), (1, 1, 1)), ((3, 0.7, 0.7), (3, 1, 1)), ((2.5, 1.5, 0.4), (2, 2, 1))],
)
def test_cells_measure_about_a_millimeter(spacing, cells):
    assert count_cells_per_voxel(spacing, 1.0) == cells


def test_reach_ends_at_the_organ_and_counts_cells():
    organ = np.zeros((30, 40, 50), bool)
    organ[5:25, 2:38, 10:45] = True
    box = find_reach(organ, np.array([[10, 20, 12], [12, 20, 12]]), 6, (3, 1, 1))
    assert box == (slice(8, 15), slice(14, 27), slice(10, 19))
    assert find_reach(organ, np.zeros((0, 3), np.int64), 6, (1, 1, 1)) is None
    assert find_reach(organ & False, np.array([[1, 1, 1]]), 6, (1, 1, 1)) is None
