"""Fitted weights against a search by brute force over the voxels themselves."""

import itertools

import numpy as np
import pytest

from mmmed.functional.fusion_fitting import count_combos, fit_weights
from mmmed.functional.plane_fusion import fuse_by_weights

SHAPE = (4, 5, 7)


def make_subject(seed, skills=(3.0, 1.0, 0.3)):
    """Planes of falling skill on the same target, probabilities in whole percent."""
    rng = np.random.default_rng(seed)
    target = rng.random(SHAPE) < 0.3
    probs = []
    for skill in skills:
        logits = skill * (2 * target - 1) + rng.normal(size=SHAPE)
        probs.append((np.rint(100 / (1 + np.exp(-logits))) / 100).astype(np.float32))
    return probs, target


def compute_dice(mask, target):
    return 2 * (mask & target).sum() / (mask.sum() + target.sum())


def test_combos_are_counted():
    probs = [
        np.array([[[0.0, 0.504, 1.0, 0.0]]], np.float32),
        np.array([[[0.25, 0.25, 0.25, 0.25]]], np.float32),
    ]
    target = np.array([[[0, 1, 1, 1]]], bool)
    table = count_combos(probs, target, levels=100)
    assert table.combos.tolist() == [[0, 25], [50, 25], [100, 25]]
    assert table.lesion.tolist() == [1, 1, 1]
    assert table.other.tolist() == [1, 0, 0]


def test_fit_is_the_best_of_all_choices():
    subjects = [make_subject(seed) for seed in range(3)]
    fitted = fit_weights([count_combos(*subject) for subject in subjects], steps=4)
    best = 0.0
    for parts in itertools.product(range(5), repeat=3):
        if sum(parts) == 4:
            for level in range(5, 100, 5):
                weights = [part / 4 for part in parts]
                scores = [
                    compute_dice(
                        fuse_by_weights(probs, weights, threshold=level / 100), target
                    )
                    for probs, target in subjects
                ]
                best = max(best, float(np.mean(scores)))
    assert fitted.dice >= best - 1e-12
    scores = [
        compute_dice(
            fuse_by_weights(probs, fitted.weights, threshold=fitted.threshold), target
        )
        for probs, target in subjects
    ]
    assert fitted.dice == pytest.approx(np.mean(scores), abs=1e-9)
    assert fitted.dice > fitted.mean_dice
    assert fitted.num_subjects == 3


def test_the_better_plane_weighs_more():
    tables = [count_combos(*make_subject(seed)) for seed in range(5)]
    weights = fit_weights(tables).weights
    assert sum(weights) == pytest.approx(1)
    assert weights[0] > weights[1] >= weights[2]


def test_equal_choices_give_equal_weights_and_one_half():
    target = np.zeros(SHAPE, bool)
    target[1:3] = True
    probs = [target.astype(np.float32)] * 2
    fitted = fit_weights([count_combos(probs, target)])
    assert fitted.weights == (0.5, 0.5)
    assert fitted.threshold == 0.5
    assert fitted.dice == fitted.mean_dice == 1.0


def test_subjects_without_lesion_are_left_out():
    tables = [count_combos(*make_subject(0))]
    probs, target = make_subject(1)
    empty = count_combos(probs, np.zeros_like(target))
    assert fit_weights([*tables, empty]) == fit_weights(tables)
    with pytest.raises(ValueError, match='no subject'):
        fit_weights([empty])


@pytest.mark.parametrize(
    ('probs', 'levels', 'message'),
    [
        ([np.full(SHAPE, 1.5)], 100, 'expected 0 to 1'),
        ([np.full(SHAPE, np.nan)], 100, 'expected 0 to 1'),
        ([np.zeros((1, 2, 3))], 100, 'differ in shape'),
        ([np.zeros(SHAPE)] * 5, 100, 'fewer levels'),
    ],
)
def test_impossible_tables_are_refused(probs, levels, message):
    with pytest.raises(ValueError, match=message):
        count_combos(probs, np.zeros(SHAPE, bool), levels=levels)
