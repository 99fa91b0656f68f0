import dataclasses

import numpy as np
import pytest

from mmmed.phantoms.spine_anatomy import CONUS_MM, REGIONS, draw_anatomy


def test_the_bow_is_that_of_the_region():
    for region in REGIONS:
        anatomy = draw_anatomy(region, (0, 1))
        a, r = anatomy.locate_cord(np.array([-50.0, 0.0, 50.0]))
        assert a[1] - (a[0] + a[2]) / 2 == pytest.approx(anatomy.typical.bow)
        assert (a[1], r[1]) == pytest.approx(anatomy.center_mm)
    # The neck and the loins bend forward, the chest backward.
    bows = {region: draw_anatomy(region, (0, 1)).typical.bow for region in REGIONS}
    assert bows['cervical'] > 0 > bows['thoracic']
    assert bows['lumbar'] > 0


def test_the_cord_tapers_to_its_end():
    anatomy = dataclasses.replace(draw_anatomy('lumbar', (3,)), conus_mm=-10.0)
    scale = anatomy.scale_cord(np.array([-60.0, -10.0, -10 + CONUS_MM / 4, 90.0]))
    assert scale[:2].tolist() == [0, 0]
    assert scale[2] == pytest.approx(0.5, abs=0.06)
    assert scale[3] == pytest.approx(1, abs=0.01)


def test_levels_are_one_period_apart():
    anatomy = draw_anatomy('cervical', (5,))
    start, period = anatomy.level_phase_mm, anatomy.period_mm
    heights = start + period * np.array([2, 1, 0, -1])
    assert anatomy.count_level(heights).tolist() == [3, 4, 5, 6]
    assert abs(start) <= 0.5 * period


def test_an_unknown_region_is_refused():
    with pytest.raises(ValueError, match='knee'):
        draw_anatomy('knee', (0,))
