"""Components from runs against scipy.ndimage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import generate_binary_structure, label

from mmmed.functional import run_labels
from mmmed.functional.run_labels import label_runs


def paint(mask, runs):
    labels = np.zeros(mask.shape, np.int32)
    labels[mask] = np.repeat(runs.labels, runs.lengths)
    return labels


def test_runs_by_hand():
    mask = np.array([[1, 1, 0, 1], [0, 0, 1, 0]], bool)
    runs = label_runs(mask, 1)
    assert runs.starts.tolist() == [[0, 0, 1], [0, 3, 2]]
    assert runs.lengths.tolist() == [2, 1, 1]
    assert runs.labels.tolist() == [1, 2, 3]
    # Across corners all three are one.
    assert label_runs(mask, 2).labels.tolist() == [1, 1, 1]


@pytest.mark.parametrize('max_run_share', [0, 10])
@settings(max_examples=150, deadline=None)
@given(
    hnp.array_shapes(min_dims=1, max_dims=3, max_side=7).flatmap(
        lambda shape: hnp.arrays(bool, shape)
    ),
    st.integers(1, 3),
)
def test_equals_scipy(max_run_share, mask, max_differing):
    max_differing = min(max_differing, mask.ndim)
    expected, count = label(mask, generate_binary_structure(mask.ndim, max_differing))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_labels, '_MAX_RUN_SHARE', max_run_share)
        runs = label_runs(mask, max_differing)
    assert runs.count == count
    assert (paint(mask, runs) == expected).all()


@pytest.mark.parametrize('density', [0.01, 0.2, 0.31, 0.6])
@pytest.mark.parametrize('max_differing', [1, 2, 3])
def test_equals_scipy_in_noise(density, max_differing, rng, monkeypatch):
    monkeypatch.setattr(run_labels, '_MAX_RUN_SHARE', 10)
    mask = rng.random((23, 31, 40)) < density
    expected, count = label(mask, generate_binary_structure(3, max_differing))
    runs = label_runs(mask, max_differing)
    assert runs.count == count
    assert (paint(mask, runs) == expected).all()
