import numpy as np

from mmmed.phantoms.stroke_head import Scanner, make_stroke_head
from mmmed.phantoms.stroke_plan import plan_cohort


def test_the_same_seed_gives_the_same_bits_and_another_subject_others(space):
    plans = plan_cohort(3, seed=5)
    first, again = (make_stroke_head(plans[1], space, seed=5) for _ in range(2))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.mask, again.mask)
    other = make_stroke_head(plans[2], space, seed=5)
    assert (first.image != other.image).mean() > 0.2


def test_old_strokes_are_dark_and_the_air_is_zero(space):
    contrast = []
    for plan in plan_cohort(30, seed=1):
        head = make_stroke_head(plan, space, seed=1)
        assert head.image.dtype == np.int16
        assert head.image[0].max() == 0
        assert head.mask.any()
        if head.mask.sum() > 60:  # of smaller ones only the edge is left at 10 mm
            healthy = space.parenchyma & ~head.mask
            contrast.append(head.image[head.mask].mean() / head.image[healthy].mean())
    assert len(contrast) >= 3
    assert max(contrast) < 0.8


def test_a_site_is_one_scanner():
    assert Scanner.draw(0, 3) == Scanner.draw(0, 3)
    assert Scanner.draw(0, 3) != Scanner.draw(0, 4)
    assert Scanner.draw(0, 3) != Scanner.draw(1, 3)
