"""Fixtures that several rooms share; a room's own live beside its tests."""

import os
from pathlib import Path

import numpy as np
import pytest

import mmmed.compat  # noqa: F401  (the host's models do not import without it)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope='session')
def sample_data() -> Path:
    """The folder of real images, or a skip that says how to have them."""
    beside_checkout = Path(__file__).resolve().parents[2] / 'shared' / 'data'
    folder = Path(os.environ.get('MMMED_SAMPLE_DATA', beside_checkout))
    if not folder.is_dir():
        pytest.skip('real images absent: set MMMED_SAMPLE_DATA to their folder')
    return folder
