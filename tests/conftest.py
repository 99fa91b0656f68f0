"""Fixtures that several rooms share; a room's own live beside its tests."""

import os
import signal
from pathlib import Path

import hypothesis
import numpy as np
import pytest

import mmmed.compat  # noqa: F401  (the host's models do not import without it)

# A job in the background of a shell ignores Ctrl-C, and so would all it starts: the
# tests that interrupt a tool would wait for it to finish.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A test that is slow on a busy machine has not failed, and one that fails must fail
# again when it is run again.
hypothesis.settings.register_profile('mmmed', deadline=None, derandomize=True)
hypothesis.settings.load_profile('mmmed')


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that stay together on one worker go first: the others fill its sibling."""
    items.sort(key=lambda item: item.get_closest_marker('xdist_group') is None)


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


@pytest.fixture(scope='session')
def prepared_head_ct(tmp_path_factory) -> Path:
    """A small generated head-CT data set, prepared as a user would."""
    from mmmed.phantoms import make_cohort, write_jpeg_release
    from mmmed.preparation import CraniumPreparer

    folder = tmp_path_factory.mktemp('head_ct')
    write_jpeg_release(folder / 'raw', make_cohort(5, slices=4, size=64, seed=1))
    preparer = CraniumPreparer(num_folds=2, seed=0)
    preparer.prepare(folder / 'raw', folder / 'prepared', quiet=True)
    return folder / 'prepared'


@pytest.fixture(scope='session')
def prepared_lesions(tmp_path_factory) -> Path:
    """Generated liver lesions in three sequences, prepared as a user would.

    Six patients, ``type`` and two signs; some sequences and labels are missing.
    """
    from mmmed.phantoms import make_lesion_cohort, write_lesion_raw
    from mmmed.preparation import LesionROIPreparer

    folder = tmp_path_factory.mktemp('lesions')
    lesions = make_lesion_cohort(
        6, sequences=('t2', 'lap', 'adc'), shape=(5, 14, 12), spacing=(4, 2, 2),
        missing_sequences=0.25, missing_labels=0.2, seed=5,
    )  # fmt: skip
    write_lesion_raw(folder / 'raw', lesions)
    preparer = LesionROIPreparer(targets=['t2', 'ap', 'type'], num_folds=3, seed=0)
    preparer.prepare(folder / 'raw', folder / 'prepared', quiet=True)
    return folder / 'prepared'
