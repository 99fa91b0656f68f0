import json

import numpy as np
import pytest

from mmmed.synthesis import LesionPrior, fit_prior, normalize_centers, read_prior


def make_cloud(rng, count=4000):
    """Positions along a direction that is no axis."""
    turn, _ = np.linalg.qr(np.array([[1.0, 2, 0.5], [0.3, 1, 2], [2, -1, 1]]))
    root = turn @ np.diag([0.2, 0.05, 0.1])
    return np.array([0.5, 0.6, 0.4]) + rng.standard_normal((count, 3)) @ root.T, root


@pytest.mark.parametrize('kind', ['normal', 'ellipsoid'])
def test_samples_have_the_covariance_that_was_fitted(rng, kind):
    points, root = make_cloud(rng)
    prior = fit_prior(points, kind=kind, outlier_share=0.0)
    np.testing.assert_allclose(prior.covariances[0], root @ root.T, atol=0.003)
    found = np.cov(prior.sample(rng, 100_000).T)
    np.testing.assert_allclose(found, prior.covariances[0], atol=0.0006)
    # The directions are there: without them these would be 0.
    assert abs(found[np.triu_indices(3, 1)]).max() > 0.01


def test_ellipsoid_ends(rng):
    prior = fit_prior(make_cloud(rng)[0], kind='ellipsoid')
    away = prior.sample(rng, 2000) - prior.means[0]
    inverse = np.linalg.inv(prior.covariances[0])
    assert np.einsum('ni,ij,nj->n', away, inverse, away).max() <= 5 + 1e-9


def test_outliers_are_left_out(rng):
    points, _ = make_cloud(rng, 1000)
    points[:10] = 40
    prior = fit_prior(points, outlier_share=0.02)
    np.testing.assert_allclose(prior.means[0], (0.5, 0.6, 0.4), atol=0.02)


def test_mixture_finds_both_places(rng):
    first, second = (
        0.2 + 0.03 * rng.standard_normal((200, 3)) + shift for shift in (0, 0.5)
    )
    prior = fit_prior(np.concatenate([first, second]), components=2, outlier_share=0.0)
    assert sorted(round(m[0], 1) for m in prior.means) == [0.2, 0.7]
    assert prior.weights == pytest.approx((0.5, 0.5), abs=0.01)


def test_json_round_trip_and_reading(rng, tmp_path):
    prior = fit_prior(make_cloud(rng, 500)[0])
    path = tmp_path / 'prior.json'
    path.write_text(json.dumps(prior.to_json()))
    assert read_prior(path) == prior
    path.write_text('{"schema_version": 1}')
    with pytest.raises(ValueError, match=r'prior\.json'):
        read_prior(path)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'weights': [0.5]}, 'add up'),
        ({'covariances': [[[1, 0, 0], [0, 1, 0], [0, 0, -1]]]}, 'positive definite'),
        ({'covariances': [[[1, 1], [1, 1]]]}, 'covariances'),
        ({'means': [[0, 0, float('nan')]]}, 'not finite'),
        ({'kind': 'box'}, 'kind'),
        ({'schema_version': 2}, 'version'),
        ({'weights': 'abc'}, 'float'),
    ],
)
def test_a_stranger_s_prior_is_checked(changes, message):
    prior = LesionPrior((1.0,), ((0.5,) * 3,), (tuple(map(tuple, np.eye(3).tolist())),))
    with pytest.raises(ValueError, match=message):
        LesionPrior.from_json({**prior.to_json(), **changes})


def test_too_few_or_flat_positions_are_refused(rng):
    with pytest.raises(ValueError, match='at least 10'):
        fit_prior(np.zeros((5, 3)))
    flat = rng.random((50, 3))
    flat[:, 0] = 0.5
    with pytest.raises(ValueError, match='plane'):
        fit_prior(flat)


def test_positions_count_from_the_sides_of_the_box():
    relative = normalize_centers([[10, 20, 30]], (10, 20, 25), (1, 2, 10))
    np.testing.assert_allclose(relative, [[0.5, 0.25, 0.55]])
