"""AdaptiveBatch: as many items at a time as memory allows."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

# How allocators of torch (CPU, CUDA, cuBLAS), ONNX Runtime and Python complain.
_COMPLAINTS = (
    'out of memory',
    "can't allocate memory",
    'not enough memory',
    'failed to allocate memory',
    'alloc_failed',
    'bad allocation',
    'bad_alloc',
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory did not suffice."""
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    # ONNX Runtime's errors derive from Exception alone.
    text = str(error).lower()
    return any(complaint in text for complaint in _COMPLAINTS)


class AdaptiveBatch:
    """Feeds items in batches; a batch that does not fit is halved and tried again.

    The smaller size stays for everything that follows.

    Args:
        size: Items at a time to begin with, >= 1.
        warn: Called with one sentence whenever the size shrinks.

    Raises:
        ValueError: ``size`` is below 1.
    """

    def __init__(self, size: int, warn: Callable[[str], None]) -> None:
        if size < 1:
            raise ValueError(f'batch size is {size}, expected >= 1')
        self.size = size
        self.warn = warn

    def map(
        self, items: Sequence[Any], work: Callable[[Sequence[Any]], Any]
    ) -> Iterator[tuple[Sequence[Any], Any]]:
        """Batches of consecutive items and what ``work`` makes of each.

        Args:
            items: In order; none may be lost if ``work`` fails on a batch.
            work: Called again with fewer items if it runs out of memory.

        Raises:
            MemoryError: A single item does not fit.
        """
        start = 0
        while start < len(items):
            batch = items[start : start + self.size]
            failure = None
            try:
                result = work(batch)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                failure = str(error).split('\n')[0][:200]
            # Outside the handler: its traceback keeps the tensors of the attempt.
            if failure is not None:
                self._shrink(len(batch), failure)
                continue
            yield batch, result
            start += len(batch)

    def _shrink(self, failed: int, reason: str) -> None:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if failed == 1:
            raise MemoryError(
                f'not even one item at a time fits into memory ({reason}); use '
                'another --device, or smaller windows (crop_size)'
            )
        self.size = failed // 2
        self.warn(f'Out of memory with {failed} at a time; going on with {self.size}.')
