import numpy as np
import pytest

from mmmed.datasets.transforms.roi_legacy import RECIPES, LegacyROIAugment


def make(rng, size=(60, 60), size_mm=20.0, seed=1):
    img = rng.random((3, 1, 4, *size), dtype=np.float32)
    img[1] = img[0]
    img[2] = 0
    return {
        'img': img,
        'available': np.array([True, True, False]),
        'sequences': ('t2', 'lap', 'adc'),
        'img_spacing': (3.0, 1.0, 1.0),
        'size_mm': size_mm,
        'rng': np.random.default_rng(seed),
    }


@pytest.mark.parametrize('recipe', RECIPES)
@pytest.mark.parametrize('is_joint', [True, False])
def test_sequences_move_together_or_each_for_itself(rng, recipe, is_joint):
    augment = LegacyROIAugment(recipe=recipe, is_joint=is_joint)
    results = augment(make(rng))
    img = results['img']
    assert img.shape == (3, 1, 4, 80, 80)
    assert np.array_equal(img[0], img[1]) is is_joint
    assert not img[2].any()
    assert np.isfinite(img).all()
    again = augment(make(np.random.default_rng(0)))
    np.testing.assert_array_equal(again['img'], img)


def test_recipes_have_their_shares(rng):
    drawn = []
    for seed in range(60):
        results = make(rng, size=(20, 20), seed=seed)
        applied = LegacyROIAugment()(results)['applied']
        drawn += [record['recipe'] for record in applied]
    assert drawn.count('complex') / len(drawn) == pytest.approx(0.5, abs=0.12)
    assert set(drawn) == set(RECIPES)


def test_erased_parts_hold_noise_only_where_that_is_wished(rng):
    extremes = {'noise': [], 'zero': []}
    for erase, found in extremes.items():
        for seed in range(8):
            results = make(rng, size_mm=60.0, seed=seed)
            augment = LegacyROIAugment(recipe='easy_2', erase=erase)
            found.append(augment(results)['img'].min())
    assert min(extremes['noise']) < -1
    assert min(extremes['zero']) == 0


@pytest.mark.parametrize('size', [(78, 81), (60, 40)])
def test_a_crop_that_is_not_square_is_padded_in_evaluation(rng, size):
    results = make(rng, size=size, size_mm=45.0)
    img = LegacyROIAugment(is_training=False)(results)['img']
    assert img.shape == (3, 1, 4, 80, 80)
    # The middle is the lesion's, not noise; nothing is drawn.
    assert 0.2 < img[0, 0, :, 30:50, 30:50].mean() < 0.8
    assert img.min() >= 0
    assert img.max() <= 1
    again = LegacyROIAugment(is_training=False)(
        make(np.random.default_rng(0), size, 45.0)
    )
    np.testing.assert_array_equal(again['img'], img)


def test_evaluation_shows_two_diameters(rng):
    results = make(rng, size=(60, 60), size_mm=20.0)
    part = results['img'][0, 0, 0, 10:50, 10:50]
    img = LegacyROIAugment(is_training=False)(results)['img'][0, 0, 0]
    np.testing.assert_allclose(img.mean(), part.mean(), rtol=1e-3)


def test_unknown_options():
    with pytest.raises(ValueError, match="erase is 'blue'"):
        LegacyROIAugment(erase='blue')
    with pytest.raises(ValueError, match="recipe is 'hard'"):
        LegacyROIAugment(recipe='hard')
