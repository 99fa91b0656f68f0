"""Fixtures that several rooms share; a room's own live beside its tests."""

import gc
import importlib.util
import multiprocessing
import os
import runpy
import signal
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import torch

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
    """Tests that stay together on one worker go first: the others fill its sibling.

    What was imported until here lives to the end: it is taken out of the rubbish
    collector, which the host calls for every data set and which would search it all.
    """
    items.sort(key=lambda item: item.get_closest_marker('xdist_group') is None)
    gc.collect()
    gc.freeze()


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


def _run_host_tool(script: Path, arguments: list[str], cwd: Path, log: Path) -> None:
    os.setsid()
    os.chdir(cwd)
    stream = log.open('w', buffering=1)
    for number in (1, 2):
        os.dup2(stream.fileno(), number)
    sys.stdout = sys.stderr = stream
    sys.argv = [str(script), *arguments]
    torch.set_num_threads(1)
    runpy.run_path(str(script), run_name='__main__')


@pytest.fixture(scope='session')
def start_host_tool() -> Callable[..., BaseProcess]:
    """Starts the host's ``train`` or ``test`` in a process group of its own.

    A fork has imported all before it starts. ``mim`` imports the host twice, the first
    time for its help: ten seconds a run, so that one or two runs a file go through it.
    What is printed goes to ``TOOL.log`` in ``cwd``.
    """
    import mmmed.datasets
    import mmmed.engine
    import mmmed.evaluation.metrics
    import mmmed.models  # noqa: F401

    (folder,) = importlib.util.find_spec('mmseg').submodule_search_locations
    context = multiprocessing.get_context('fork')

    def start(tool: str, *arguments: object, cwd: Path) -> BaseProcess:
        script = Path(folder) / '.mim/tools' / f'{tool}.py'
        words = [str(word) for word in arguments]
        process = context.Process(
            target=_run_host_tool, args=(script, words, cwd, cwd / f'{tool}.log')
        )
        process.start()
        return process

    return start


@pytest.fixture(scope='session')
def run_host_tool(start_host_tool) -> Callable[..., None]:
    """The same, waited for; anything but success is shown."""

    def run(tool: str, *arguments: object, cwd: Path) -> None:
        process = start_host_tool(tool, *arguments, cwd=cwd)
        process.join(900)
        if process.is_alive():
            os.killpg(process.pid, signal.SIGKILL)
            process.join()
        assert process.exitcode == 0, (cwd / f'{tool}.log').read_text()[-3000:]

    return run


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
