import json

import numpy as np
import pytest

from mmmed.synthesis import LesionPrior
from mmmed.synthesis.specification import RECIPES, SynthesisSpec, replay_growth

SPACING = (3.0, 1.5, 1.5)


def make_scan(level=110.0):
    rng = np.random.default_rng(0)
    z, y, x = np.indices((24, 56, 60))
    organ = ((z - 12) / 10) ** 2 + ((y - 28) / 24) ** 2 + ((x - 30) / 26) ** 2 < 1
    hu = np.where(organ, level, 40) + rng.normal(0, 10, organ.shape)
    return hu.astype(np.float32), organ.astype(np.uint8)


@pytest.mark.parametrize('recipe', RECIPES)
def test_every_recipe_makes_a_scan_of_one_form(recipe):
    hu, mask = make_scan()
    made = SynthesisSpec(recipe).make(hu, mask, SPACING, [0, 3])
    again = SynthesisSpec(recipe).make(hu, mask, SPACING, [0, 3])
    assert made.outcome == 'ok'
    assert np.array_equal(made.image, again.image)
    assert (made.label == 2).any()
    assert np.array_equal(made.image[mask == 0], hu[mask == 0])
    voxels = sum(lesion['voxels'] for lesion in made.lesions)
    assert voxels >= (made.label == 2).sum()  # lesions may overlap
    json.dumps([*made.lesions, made.plan])


def test_a_grown_scan_replays_from_its_plan():
    hu, mask = make_scan()
    made = SynthesisSpec('automaton').make(hu, mask, SPACING, 5)
    plan = json.loads(json.dumps(made.plan))
    grown = replay_growth(hu, mask > 0, SPACING, plan)
    assert np.array_equal(grown.image, made.image)
    assert np.array_equal(grown.label, made.label)
    change = (made.image - hu)[made.label == 2].mean()
    mean = np.average(
        [lesion['delta_hu'] for lesion in made.lesions],
        weights=[lesion['voxels'] for lesion in made.lesions],
    )
    assert mean == pytest.approx(change, abs=0.01)


@pytest.mark.parametrize('recipe', ['full', 'automaton'])
def test_no_organ_and_real_tumors_are_outcomes(recipe):
    hu, mask = make_scan()
    spec = SynthesisSpec(recipe)
    empty = spec.make(hu, mask * 0, SPACING, 0)
    assert (empty.outcome, empty.lesions) == ('no organ', ())
    mask[12, 28, 30] = 2
    real = spec.make(hu, mask, SPACING, 0)
    assert real.outcome == 'real tumor'
    assert np.array_equal(real.image, hu)
    assert (real.label == 2).sum() == 1


def test_a_prior_decides_where_lesions_are():
    hu, mask = make_scan()
    prior = LesionPrior((1.0,), ((0.5, 0.25, 0.5),), ((*np.eye(3) * 0.002,),))
    spec = SynthesisSpec('full', lesion_type='tiny', prior=prior)
    centers = [
        lesion['center_mm'][1] / 1.5
        for seed in range(6)
        for lesion in spec.make(hu, mask, SPACING, seed).lesions
    ]
    # A quarter into the box, which runs from 4.5 to 51.5.
    assert np.mean(centers) == pytest.approx(16, abs=3)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'recipe': 'best'}, 'automaton'), ({'organ': 'lung'}, 'pancreas'),
        ({'lesion_type': 'huge'}, 'tiny'),
        ({'recipe': 'automaton', 'lesion_type': 'tiny'}, 'grown'),
    ],
)  # fmt: skip
def test_unknown_names_say_what_there_is(options, message):
    with pytest.raises(ValueError, match=message):
        SynthesisSpec(**options)
