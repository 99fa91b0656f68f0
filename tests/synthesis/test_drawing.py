import dataclasses

import numpy as np
import pytest
import torch

from mmmed.synthesis import draw_lesions, get_recipe, plan_lesions

SPACING = (1.0, 1.0, 1.0)
PUBLIC = get_recipe('public')


def plan(mask, seed=0, recipe=PUBLIC, **options):
    return plan_lesions(mask, SPACING, recipe, np.random.default_rng(seed), **options)


def test_counts_and_radii_are_uniform():
    mask = np.ones((60, 60, 60), np.uint8)
    plans = [plan(mask, seed, lesion_type='small') for seed in range(200)]
    counts = np.bincount([len(p.lesions) for p in plans], minlength=12)
    assert counts[:3].sum() == counts[11:].sum() == 0
    assert abs(counts[3:11] - 25).max() < 18
    radii = np.concatenate([one.radii_mm for p in plans for one in p.lesions])
    assert radii.min() >= 6
    assert radii.max() <= 10
    assert radii.mean() == pytest.approx(8, abs=0.05)
    assert radii.std() == pytest.approx(4 / np.sqrt(12), abs=0.03)


def test_types_are_equally_frequent():
    mask = np.ones((30, 30, 30), np.uint8)
    names = [plan(mask, seed).lesion_type for seed in range(300)]
    found = np.array([names.count(name) for name in PUBLIC.types])
    assert abs(found - 60).max() < 25


def test_one_look_for_a_volume_or_each_lesion():
    image = np.random.default_rng(0).normal(100, 10, (60, 60, 60)).astype('float32')
    mask = np.ones(image.shape, np.uint8)
    public = plan(mask, lesion_type='small').lesions
    full = plan(mask, recipe=get_recipe('full'), lesion_type='small', image=image)
    assert len({one.delta_hu for one in public}) == 1
    assert -145 * 0.55 <= public[0].delta_hu <= -65 * 0.5
    assert len({one.delta_hu for one in full.lesions}) == len(full.lesions) > 2


def test_contrast_lost_by_the_blur_as_published():
    """Mean change of the published code: tiny -29..-32, small -41..-44 HU."""
    recipe = dataclasses.replace(PUBLIC, is_calibrated=False)
    mask = np.ones((60, 60, 60), np.uint8)
    for name, expected in (('tiny', -30.5), ('small', -43), ('medium', -48.5)):
        plans = [plan(mask, s, recipe, lesion_type=name) for s in range(60)]
        found = np.mean([p.lesions[0].delta_hu for p in plans])
        assert found == pytest.approx(expected, abs=4)


def test_the_seed_decides_all(organ_phantom):
    image, mask, spacing = organ_phantom
    recipe = get_recipe('full')
    draws = [
        draw_lesions(m, spacing, recipe, np.random.default_rng(seed), image=i)
        for m, i, seed in (
            (mask, image, 1),
            (torch.from_numpy(mask), torch.from_numpy(image), 1),
            (mask.astype(bool), image, 1),
            (mask, image, 2),
        )
    ]
    assert draws[0] == draws[1] == draws[2] != draws[3]


@pytest.mark.parametrize('preset', ['public', 'full'])
@pytest.mark.parametrize('lesion_type', [None, 'tiny', 'large'])
@pytest.mark.parametrize(
    'part',
    [
        (slice(0), slice(0), slice(0)),
        (slice(5, 6), slice(5, 6), slice(5, 6)),
        (slice(5, 6), slice(None), slice(None)),
        (slice(None), slice(3, 5), slice(None)),
        (slice(9, 10), slice(9, 10), slice(None)),
    ],
)
def test_thin_and_empty_organs_never_raise(preset, lesion_type, part):
    mask = np.zeros((10, 12, 14), np.uint8)
    mask[part] = 1
    image = np.zeros(mask.shape, np.float32)
    recipe = get_recipe(preset)
    for seed in range(3):
        got = plan(mask, seed, recipe, image=image, lesion_type=lesion_type)
        assert got.outcome == ('ok' if got.lesions else got.outcome)
        assert got.outcome in ('ok', 'no organ', 'no room')
        assert (got.outcome == 'no organ') == (not mask.any())


def test_real_tumor_is_left_alone_unless_told():
    mask = np.ones((40, 40, 40), np.uint8)
    mask[:4, :4, :4] = 2
    assert plan(mask).outcome == 'real tumor'
    assert plan(mask).lesions == ()
    assert plan(mask, mixes_real=True, lesion_type='tiny').outcome == 'ok'


def test_a_patch_gets_its_part_of_the_lesions():
    recipe = dataclasses.replace(PUBLIC, reference_ml=270.0)
    mask = np.ones((30, 30, 30), np.uint8)  # 27 ml: a tenth
    counts = [
        len(plan(mask, s, recipe, lesion_type='tiny').lesions) for s in range(200)
    ]
    assert min(counts) == 1
    assert np.mean(counts) < 1.6


def test_records_of_a_patch_count_from_the_volume():
    mask = np.ones((40, 40, 40), np.uint8)
    here, there = (
        plan(mask, lesion_type='tiny', origin=origin).lesions[0].center_mm
        for origin in ((0, 0, 0), (5, 6, 7))
    )
    np.testing.assert_allclose(np.subtract(there, here), (5, 6, 7))


def test_an_image_is_asked_for():
    mask = np.ones((10, 10, 10), np.uint8)
    with pytest.raises(ValueError, match='no image'):
        plan(mask, recipe=get_recipe('full'))
    with pytest.raises(ValueError, match='giant'):
        plan(mask, lesion_type='giant')
