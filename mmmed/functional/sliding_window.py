"""Run a predictor over overlapping windows and blend what it says, N-D.

Where the windows lie is decided in :mod:`mmmed.functional.tiling`. Not here: networks,
test-time augmentation, files.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from mmmed.functional.tiling import Tile, compute_tiles, compute_window_padding

_ALL = slice(None)
Predictor = Callable[[Tensor, list[int]], Tensor]
# A window: index of its image, and where it lies.
Job = tuple[int, Tile]


def predict_by_windows(
    inputs: Tensor,
    predictor: Predictor,
    *,
    window: Sequence[int],
    stride: Sequence[int],
    window_weights: Tensor | None = None,
    window_batch: int = 4,
    pad_value: float = 0.0,
    needed: Tensor | None = None,
    fill: Sequence[float] | None = None,
) -> Tensor:
    """Weighted mean of the predictions of overlapping windows.

    At most ``window_batch`` windows are in the predictor at a time, whatever the size
    of the image or of the batch. Images smaller than the window are padded at the end
    of each axis; the padding is cut from the result.

    Args:
        inputs: Images, shape (N, C, *space).
        predictor: Maps windows of shape (B, C, *window), and for each window the index
            of its image in the batch, to scores of shape (B, K, *window).
        window: Window size per axis.
        stride: Largest distance of neighbouring windows per axis, at most ``window``.
        window_weights: Positive weights of shape ``window``; None for equal ones.
        window_batch: Most windows in one call of the predictor.
        pad_value: Value of padded pixels.
        needed: Where scores are wanted, boolean, shape (N, *space), as inside the
            body. A window that holds nothing of it is not predicted; all others are,
            so that wanted scores are those of the whole, bit for bit.
        fill: With ``needed``: the K scores where no window was predicted, as those of
            background; None for zeros.

    Returns:
        Scores, shape (N, K, *space), at least float32. Where an image is covered by
        a single window this is the predictor's answer itself.

    Raises:
        ValueError: A size, stride or batch is impossible, the weights do not have the
            shape of the window or are not positive, ``needed`` or ``fill`` do not go
            with the images, or the predictor changes sizes.
    """
    _check_windows(inputs, window, window_weights, window_batch)
    space = inputs.shape[2:]
    padding = compute_window_padding(space, window)
    padded = _pad_end(inputs, padding, pad_value)
    tiles = compute_tiles(padded.shape[2:], window, stride)
    jobs = [(image, tile) for image in range(len(inputs)) for tile in tiles]
    if needed is not None:
        jobs = _leave_out(jobs, inputs, needed)
    if window_weights is None:
        window_weights = inputs.new_ones(tuple(window), dtype=torch.float32)
    total: Tensor | None = None
    for first in range(0, len(jobs), window_batch):
        batch = jobs[first : first + window_batch]
        parts = [padded[image][(_ALL, *tile)] for image, tile in batch]
        # A lone window is seen where it lies; networks read any memory layout.
        windows = parts[0][None] if len(parts) == 1 else torch.stack(parts)
        scores = predictor(windows, [image for image, _ in batch])
        _check_scores(scores, windows)
        if total is None:
            dtype = torch.promote_types(scores.dtype, torch.float32)
            weights = window_weights.to(scores.device, dtype)
            total = scores.new_zeros(
                (len(inputs), scores.shape[1], *padded.shape[2:]), dtype=dtype
            )
        for (image, tile), score in zip(batch, scores, strict=True):
            part = total[image][(_ALL, *tile)]
            if len(tiles) > 1:
                # In place: a product of its own would cost as much as the sum.
                part.addcmul_(score.to(dtype), weights)
            else:
                # A lone window is not weighted: multiplying and dividing would round.
                part.add_(score)
    assert total is not None
    if needed is None:
        if len(tiles) > 1:
            total /= _sum_weights(weights, tiles, padded.shape[2:])
    else:
        for image, scores in enumerate(total):
            mine = [tile for owner, tile in jobs if owner == image]
            share = _sum_weights(weights, mine, padded.shape[2:])
            if fill is not None:
                _fill_rest(scores, share == 0, fill)
                share.masked_fill_(share == 0, 1.0)
            if len(tiles) > 1:
                # Sums of no window are 0 and stay so.
                scores /= share.clamp_(min=torch.finfo(share.dtype).tiny)
    return total[(_ALL, _ALL, *(slice(size) for size in space))]


def _sum_weights(
    weights: Tensor, tiles: Sequence[Tile], space: Sequence[int]
) -> Tensor:
    total = weights.new_zeros(tuple(space))
    for tile in tiles:
        total[tile] += weights
    return total


def _leave_out(jobs: list[Job], inputs: Tensor, needed: Tensor) -> list[Job]:
    """The windows that hold something wanted, at least one for the number of classes.

    Raises:
        ValueError: The mask has another shape or type.
    """
    if (
        tuple(needed.shape) != (len(inputs), *inputs.shape[2:])
        or needed.is_floating_point()
    ):
        raise ValueError(
            f'needed must be a mask (N, *space) of the inputs {tuple(inputs.shape)}, '
            f'got {needed.dtype} {tuple(needed.shape)}'
        )
    # NumPy stops at the first one found, and is fast on parts of an array.
    mask = needed.cpu().numpy()
    kept = [(image, tile) for image, tile in jobs if mask[image][tile].any()]
    return kept or jobs[:1]


def _fill_rest(scores: Tensor, rest: Tensor, fill: Sequence[float]) -> None:
    if len(fill) != len(scores):
        raise ValueError(f'fill has {len(fill)} scores, expected {len(scores)}')
    for channel, value in zip(scores, fill, strict=True):
        channel.masked_fill_(rest, value)


def _pad_end(inputs: Tensor, padding: Sequence[int], value: float) -> Tensor:
    if not any(padding):
        return inputs
    # torch lists the last axis first, each as (before, after).
    amounts = [amount for size in reversed(padding) for amount in (0, size)]
    return nn.functional.pad(inputs, amounts, value=value)


def _check_windows(
    inputs: Tensor,
    window: Sequence[int],
    window_weights: Tensor | None,
    window_batch: int,
) -> None:
    if len(window) != inputs.ndim - 2 or not len(inputs):
        raise ValueError(
            f'inputs must be (N, C, *space) with N > 0 and one window size per axis, '
            f'got inputs {tuple(inputs.shape)} and window {tuple(window)}'
        )
    if window_batch < 1:
        raise ValueError(f'window_batch must be >= 1, got {window_batch}')
    if window_weights is not None and (
        tuple(window_weights.shape) != tuple(window) or not (window_weights > 0).all()
    ):
        raise ValueError(
            f'window_weights must be positive and shaped {tuple(window)}, '
            f'got shape {tuple(window_weights.shape)}'
        )


def _check_scores(scores: Tensor, windows: Tensor) -> None:
    if len(scores) != len(windows) or scores.shape[2:] != windows.shape[2:]:
        raise ValueError(
            f'the predictor must keep batch and size of its windows, got '
            f'{tuple(scores.shape)} for {tuple(windows.shape)}'
        )
