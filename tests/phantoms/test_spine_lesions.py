import numpy as np

from mmmed.phantoms.abdomen_grid import make_body_grid
from mmmed.phantoms.spine_anatomy import draw_anatomy
from mmmed.phantoms.spine_lesions import Clump, draw_clumps, measure_clump


def test_a_clump_is_the_union_of_balls_in_the_frame_of_the_cord():
    anatomy = draw_anatomy('thoracic', (1,))
    grid = make_body_grid((2.0, 1.0, 1.5), (20, 24, 30))
    clump = Clump(np.array([[4.0, 0.0, 0.0, 2.0], [9.0, 1.0, 0.0, 3.0]]), 0.5)
    inside = measure_clump(clump, anatomy, grid, np.zeros(grid.shape))
    for z, s in ((2, 4.0), (5, 10.0)):
        a, r = (np.asarray(v).item() for v in anatomy.locate_cord(np.float64(s)))
        y, x = 12, 9
        away = [grid.a[0, y, 0] - a, grid.r[0, 0, x] - r]
        first = 2 - np.hypot(s - 4, np.hypot(*away))
        second = 3 - np.hypot(s - 9, np.hypot(away[0] - 1, away[1]))
        np.testing.assert_allclose(inside[z, y, x], max(first, second), rtol=1e-5)


def test_clumps_begin_within_the_cord_and_their_heights():
    anatomy = draw_anatomy('lumbar', (2,))
    clumps = draw_clumps(anatomy, np.random.default_rng(0), 40, 45.0)
    starts = np.array([clump.balls[0] for clump in clumps])
    assert starts[:, 0].min() > anatomy.conus_mm + 25
    assert starts[:, 0].max() < 45
    semi = np.array(anatomy.typical.cord)
    assert ((starts[:, 1:3] / semi) ** 2).sum(axis=1).max() < 1
    assert all(0.3 <= clump.water <= 0.7 for clump in clumps)
