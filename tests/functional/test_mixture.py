import numpy as np
import pytest

from mmmed.functional.mixture import fit_mixture


def test_one_component_is_mean_and_covariance(rng):
    points = rng.standard_normal((50, 3))
    weights, means, covariances = fit_mixture(points, 1)
    assert weights.tolist() == [1]
    np.testing.assert_allclose(means[0], points.mean(0))
    np.testing.assert_allclose(covariances[0], np.cov(points.T, bias=True))


def test_two_components_are_found_and_repeat(rng):
    points = rng.standard_normal((400, 2)) * [1, 0.2]
    points[:100] += [10, 5]
    first, second = fit_mixture(points, 2), fit_mixture(points, 2)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    order = np.argsort(first[0])
    np.testing.assert_allclose(first[0][order], (0.25, 0.75), atol=1e-6)
    np.testing.assert_allclose(first[1][order], [(10, 5), (0, 0)], atol=0.3)


def test_components_are_checked():
    with pytest.raises(ValueError, match='fewer than'):
        fit_mixture(np.zeros((3, 2)), 3)
