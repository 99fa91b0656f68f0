import numpy as np
import pytest
from scipy.interpolate import BSpline

from mmmed.phantoms.smooth_fields import _make_weights as make_weights
from mmmed.phantoms.smooth_fields import draw_smooth_field, evaluate_field


def test_the_basis_is_the_uniform_cubic_b_spline():
    weights = make_weights(11, 2.5)
    knots = np.arange(-3, weights.shape[1] + 2)
    wanted = BSpline.design_matrix(np.arange(11) / 2.5, knots.astype(float), 3)
    np.testing.assert_allclose(
        weights, wanted.toarray()[:, : weights.shape[1]], atol=1e-6
    )
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)


def test_constant_knots_give_a_constant_and_axes_keep_their_order():
    shape = (4, 7, 5)
    weights = [make_weights(n, 2.0) for n in shape]
    knots = np.zeros([w.shape[1] for w in weights], np.float32)
    np.testing.assert_allclose(evaluate_field(knots + 2, weights), 2, rtol=1e-6)
    knots[:] = np.arange(knots.shape[1])[:, None]  # a ramp along Y
    field = evaluate_field(knots, weights)
    assert field.shape == shape
    np.testing.assert_allclose(np.diff(field, axis=1), 0.5, rtol=1e-5)
    np.testing.assert_allclose(np.diff(field, axis=0), 0, atol=1e-6)


def test_a_field_is_smooth_and_of_known_size(rng):
    field = draw_smooth_field(rng, (40, 50, 60), 3.0)
    assert field.dtype == np.float32
    assert field.std() == pytest.approx(0.33, abs=0.03)
    assert np.abs(np.diff(field, axis=2)).max() < 0.7
