"""Progress of long work: a bar on a terminal, plain log lines elsewhere.

Used by every room; no work is done here.
"""

import logging
import sys
import time
from types import TracebackType

from tqdm import tqdm

logger = logging.getLogger('mmmed.progress')


class Progress:
    """Context manager that tells how far a known number of steps has come.

    Args:
        title: What is being done, e.g. ``'Converting'``.
        total: Number of steps.
        unit: What a step is, singular.
        quiet: Show nothing.
        interval_s: Shortest time between two log lines.
    """

    def __init__(
        self,
        title: str,
        total: int,
        unit: str,
        *,
        quiet: bool = False,
        interval_s: float = 5,
    ) -> None:
        self.title, self.total, self.unit = title, total, unit
        self.interval_s = interval_s
        self.done = 0
        on_terminal = sys.stderr.isatty()
        self._bar = tqdm(
            total=total, desc=title, unit=unit, disable=quiet or not on_terminal
        )
        self._logs = not quiet and not on_terminal
        self._start = self._last = time.monotonic()

    def __enter__(self) -> 'Progress':
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.close()

    def step(self) -> None:
        """Count one step as done."""
        self.done += 1
        self._bar.update()
        now = time.monotonic()
        if self._logs and (
            self.done == self.total or now - self._last > self.interval_s
        ):
            self._last = now
            rate = self.done / max(now - self._start, 1e-9)
            left = (self.total - self.done) / rate
            logger.info(
                '%s %d of %d (%.3g %s/s, %.0f s left)',
                self.title,
                self.done,
                self.total,
                rate,
                self.unit,
                left,
            )
