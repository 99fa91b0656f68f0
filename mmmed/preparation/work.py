"""Running over many files: threads, progress, hashes, and findings in order."""

import logging
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from mmmed.files import hash_file
from mmmed.preparation.findings import Finding, stop_if_strict
from mmmed.preparation.parts import Plan
from mmmed.progress import Progress

logger = logging.getLogger('mmmed.preparation')
_T = TypeVar('_T')
_R = TypeVar('_R')


class Work:
    """Tasks still to do, findings so far, and how to run over them.

    Args:
        plan: What the raw folder offers.
        workers: Number of threads.
        strict: Make every further finding an error.
        quiet: Show no progress.
    """

    def __init__(self, plan: Plan, workers: int, strict: bool, quiet: bool) -> None:
        self.plan = plan
        self.tasks = list(plan.tasks)
        self.findings = sorted(plan.findings)
        self.reused = 0
        self._workers, self._strict, self._quiet = workers, strict, quiet

    def report(self, finding: Finding) -> None:
        """Add a finding, or stop at it."""
        stop_if_strict([finding], self._strict)
        logger.debug('%s', finding)
        self.findings.append(finding)

    def map(
        self, title: str, function: Callable[[_T], _R], items: Iterable[_T]
    ) -> Generator[_R, None, None]:
        """Results in the order of the items, however many threads work on them.

        Close the generator when leaving early: only then the threads have ended, and
        none writes into a folder that is being removed.
        """
        items = list(items)
        executor = ThreadPoolExecutor(self._workers)
        try:
            with Progress(title, len(items), 'file', quiet=self._quiet) as progress:
                for result in executor.map(function, items):
                    progress.step()
                    yield result
        finally:
            executor.shutdown(cancel_futures=True)

    def hash_sources(self) -> dict[Path, str]:
        """Hashes of all sources and tables; drops tasks that cannot be read."""
        paths = sorted({p for t in self.tasks for p in t.sources.values()})
        paths += list(self.plan.inputs)
        hashes: dict[Path, str] = {}
        with closing(self.map('Checking', _hash, paths)) as results:
            for path, result in zip(paths, results, strict=True):
                if isinstance(result, str):
                    hashes[path] = result
                    continue
                name = path.relative_to(self.plan.root).as_posix()
                problem = f'cannot be read ({result.strerror})'
                self.report(Finding(name, problem, 'check its permissions and medium'))
        self.tasks = [t for t in self.tasks if hashes.keys() >= set(t.sources.values())]
        return hashes


def _hash(path: Path) -> str | OSError:
    try:
        return hash_file(path)
    except OSError as error:
        return error
