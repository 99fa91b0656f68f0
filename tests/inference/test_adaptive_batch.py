"""Batches that shrink when memory runs short, and lose nothing."""

import pytest
import torch

from mmmed.inference.adaptive_batch import AdaptiveBatch, is_out_of_memory


def make_work(most: int, error: Exception, seen: list):
    def work(items):
        if len(items) > most:
            raise error
        seen.extend(items)
        return [item * 10 for item in items]

    return work


ERRORS = [
    MemoryError(),
    torch.cuda.OutOfMemoryError('CUDA out of memory. Tried to allocate 2 GiB'),
    RuntimeError("[enforce fail at alloc_cpu.cpp:124] can't allocate memory: 5 bytes"),
    RuntimeError('CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate'),
    Exception(
        '[ONNXRuntimeError] : 6 : Failed to allocate memory for requested buffer'
    ),
]


@pytest.mark.parametrize('error', ERRORS, ids=lambda e: type(e).__name__)
def test_halves_until_it_fits_and_stays_there(error) -> None:
    warnings, seen = [], []
    batch = AdaptiveBatch(8, warnings.append)
    results = list(batch.map(range(11), make_work(3, error, seen)))
    assert seen == list(range(11))
    assert [len(items) for items, _ in results] == [2, 2, 2, 2, 2, 1]
    assert [x for _, part in results for x in part] == [10 * k for k in range(11)]
    assert len(warnings) == 2
    assert '8 at a time; going on with 4' in warnings[0]
    list(batch.map(range(5), make_work(3, error, seen)))
    assert len(warnings) == 2


def test_a_short_last_batch_shrinks_from_its_own_size() -> None:
    batch = AdaptiveBatch(64, lambda text: None)
    list(batch.map(range(3), make_work(1, MemoryError(), [])))
    assert batch.size == 1


def test_one_item_that_does_not_fit_is_an_error() -> None:
    batch = AdaptiveBatch(4, lambda text: None)
    with pytest.raises(MemoryError, match='not even one'):
        list(batch.map(range(4), make_work(0, MemoryError('too big'), [])))


def test_other_errors_pass_unchanged() -> None:
    batch = AdaptiveBatch(4, lambda text: None)
    with pytest.raises(RuntimeError, match='shapes'):
        list(batch.map(range(4), make_work(0, RuntimeError('shapes differ'), [])))
    assert batch.size == 4
    assert not is_out_of_memory(ValueError('x'))
    with pytest.raises(ValueError, match='batch size'):
        AdaptiveBatch(0, print)
