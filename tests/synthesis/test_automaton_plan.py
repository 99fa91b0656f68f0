import json
from dataclasses import replace

import numpy as np
import pytest

from mmmed.synthesis.automaton_plan import (
    GrowthPlan,
    adapt_recipe,
    draw_growth,
    get_growth_recipe,
)


def make_organ(level=110.0, shape=(20, 30, 24)):
    rng = np.random.default_rng(0)
    hu = rng.normal(level, 15, shape).astype(np.float32)
    organ = np.zeros(shape, bool)
    organ[4:16, 5:25, 4:20] = True
    return hu, organ


def test_recipes_differ_by_organ():
    liver, kidney = get_growth_recipe('liver'), get_growth_recipe('kidney')
    assert (liver.window_hu, liver.steps, liver.death_after) == (
        (100, 160),
        (5, 149),
        50,
    )
    assert (kidney.window_hu, kidney.steps, kidney.death_after) == (
        (140, 200), (5, 79), 30,
    )  # fmt: skip
    assert get_growth_recipe('pancreas').fat_hu == 65
    with pytest.raises(ValueError, match=r"'heart'.*liver, pancreas, kidney"):
        get_growth_recipe('heart')


def test_drawn_values_stay_in_their_ranges():
    hu, organ = make_organ()
    recipe = get_growth_recipe('liver')
    plans = [
        draw_growth(hu, organ, (3, 1, 1), recipe, np.random.default_rng(s))
        for s in range(60)
    ]
    assert all(5 <= plan.steps <= 149 for plan in plans)
    assert all(34 <= plan.contrast_hu <= 77 for plan in plans)
    assert all(1 <= len(plan.cores) <= 9 * 10 for plan in plans)
    assert all(plan.steps > 50 for plan in plans if plan.deaths)
    assert 10 < sum(bool(plan.deaths) for plan in plans) < 40
    for plan in plans:  # the first core is never a satellite: it lies in the organ
        z, y, x = plan.cores[0]
        assert organ[z // 3, y, x]
        assert hu[z // 3, y, x] < 160


def test_a_plan_survives_json():
    hu, organ = make_organ()
    recipe = replace(get_growth_recipe('pancreas'), steps=(60, 70))
    plan = draw_growth(hu, organ, (1, 1, 1), recipe, np.random.default_rng(4))
    again = GrowthPlan.from_json(json.loads(json.dumps(plan.to_json())))
    assert again == plan


@pytest.mark.parametrize(
    'change', [{'cores': [[1, 2]]}, {'recipe': {'organ': 'liver', 'x': 1}}, {'y': 2}]
)
def test_json_of_something_else_is_refused(change):
    hu, organ = make_organ()
    recipe = get_growth_recipe('liver')
    plan = draw_growth(hu, organ, (1, 1, 1), recipe, np.random.default_rng(4))
    with pytest.raises(ValueError, match='not a plan of cellular growth'):
        GrowthPlan.from_json(plan.to_json() | change)


@pytest.mark.parametrize('level', [110.0, 400.0])
def test_without_tissue_the_plan_is_empty(level):
    hu, organ = make_organ(level)
    organ = organ & (level > 300)
    recipe = get_growth_recipe('liver')
    plan = draw_growth(hu, organ, (1, 1, 1), recipe, np.random.default_rng(0))
    assert plan.is_empty
    assert plan.cores == ()


def test_an_unenhanced_organ_gets_its_own_window_and_less_contrast():
    hu, organ = make_organ(45)
    recipe = adapt_recipe(get_growth_recipe('liver'), hu, organ)
    # Normal with deviation 15: from 30 to 75, and full cells at most 45 - 20 HU darker.
    assert recipe.window_hu == pytest.approx((30, 75), abs=2)
    assert recipe.contrast_hu == pytest.approx((25 / 1.4 * 34 / 77, 25 / 1.4), abs=0.7)
    portal, organ = make_organ(140)
    recipe = adapt_recipe(get_growth_recipe('liver'), portal, organ)
    assert recipe.contrast_hu == (34, 77)
    assert adapt_recipe(recipe, hu, organ & False) == recipe
