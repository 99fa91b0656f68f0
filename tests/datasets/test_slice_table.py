import numpy as np

from mmmed.datasets.slice_table import SliceTable


def test_rows_distances_and_selections():
    table = SliceTable.build([[0, 0, 4, 0, 0, 0, 7], None, [0, 0]], [7, 3, 2])
    assert table.volume.tolist() == [0] * 7 + [1] * 3 + [2] * 2
    assert table.index.tolist() == [*range(7), *range(3), 0, 1]
    assert table.pixels.tolist() == [0, 0, 4, 0, 0, 0, 7, -1, -1, -1, 0, 0]
    assert table.distance.tolist() == [2, 1, 0, 1, 2, 1, 0, -1, -1, -1, -1, -1]
    lesion = table.select('lesion')
    assert (lesion.volume.tolist(), lesion.index.tolist()) == ([0, 0], [2, 6])
    assert len(table.select('normal')) == 7
    assert table.select('all', 3).index.tolist() == [1, 4, 1, 1]
    assert len(table.take(np.array([3, 1]))) == 2


def test_400_thousand_slices_are_small():
    table = SliceTable.build([[0] * 600] * 655, [600] * 655)
    arrays = (table.volume, table.index, table.pixels, table.distance)
    assert sum(a.nbytes for a in arrays) == 16 * 393_000
