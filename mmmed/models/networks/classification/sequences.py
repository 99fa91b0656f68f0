"""Inputs of several sequences: their axes, and which of them a case has.

A sequence that a case lacks never enters a layer: encoders run on the cases that have
it, and its place in the result is zero or a learned value. So neither what the file
held nor batch statistics depend on it. Not here: how sequences are combined.
"""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

MISSING = ('zero', 'token')


class SequenceNetwork(BaseModule):
    """What networks of several sequences share.

    Input: (N, S, C, Z, Y, X), and which sequences each case has, (N, S). Output:
    features (N, D), or (N, T, D) where ``num_tokens`` is T.

    In distributed training set ``find_unused_parameters=True`` where sequences may be
    missing: an encoder whose sequence no case of the batch has gets no gradient.

    Args:
        sequences: Their names, in the order of S, or how many.
        dims: 3 for volumes; 2 for slices as channels.
        channels: C.
        slices: Z, needed with ``dims=2``.
        missing: What takes the place of a sequence that a case lacks: ``zero``, or
            ``token``, learned values that start at zero.

    Raises:
        ValueError: A name comes twice, or ``slices`` is missing, or ``missing`` is
            neither.
    """

    out_channels: int
    num_tokens: int | None = None

    def __init__(
        self,
        sequences: int | Sequence[str],
        *,
        dims: int,
        channels: int = 1,
        slices: int | None = None,
        missing: str = 'zero',
    ) -> None:
        super().__init__()
        if isinstance(sequences, int):
            sequences = [f'sequence{i}' for i in range(sequences)]
        self.sequences = tuple(sequences)
        if not self.sequences or len(set(self.sequences)) < len(self.sequences):
            raise ValueError(
                f'sequences must be one or more different names, got {self.sequences}'
            )
        if dims == 2 and slices is None:
            raise ValueError(
                'dims=2 stacks slices as channels; tell how many there are: slices=5'
            )
        if missing not in MISSING:
            raise ValueError(f'missing must be one of {MISSING}, got {missing!r}')
        self.dims, self.channels, self.slices = dims, channels, slices
        self.missing = missing

    @property
    def sequence_channels(self) -> int:
        """Channels of one sequence as an encoder reads it."""
        return self.channels * (self.slices or 1 if self.dims == 2 else 1)

    def split(self, inputs: Tensor, available: Tensor | None) -> tuple[Tensor, Tensor]:
        """Check and arrange a batch.

        Args:
            inputs: (N, S, C, Z, Y, X).
            available: (N, S), true where the case has the sequence; None for all.

        Returns:
            Images (N, S, C, Z, Y, X), or (N, S, C * Z, Y, X) with ``dims=2`` (all
            slices of the first channel, then of the next); the mask, on the CPU.

        Raises:
            ValueError: The batch has other axes than the network, or the mask than it.
        """
        expected = (len(self.sequences), self.channels)
        depth = self.slices if self.dims == 2 else None
        if (
            inputs.ndim != 6
            or tuple(inputs.shape[1:3]) != expected
            or depth not in (None, inputs.shape[3])
        ):
            raise ValueError(
                f'{type(self).__name__} reads (N, {expected[0]} sequences, '
                f'{expected[1]} channels, {depth or "Z"} slices, Y, X), got '
                f'{tuple(inputs.shape)}'
            )
        if available is None:
            available = torch.ones(inputs.shape[:2], dtype=torch.bool)
        if available.shape != inputs.shape[:2] or available.dtype != torch.bool:
            raise ValueError(
                f'available must be bool of shape {tuple(inputs.shape[:2])}, got '
                f'{available.dtype} of {tuple(available.shape)}'
            )
        if self.dims == 2:
            inputs = inputs.flatten(2, 3)
        return inputs, available.cpu()


def run_present(
    module: nn.Module, images: Tensor, present: Tensor, shape: Sequence[int]
) -> Tensor:
    """Run a module on the cases that have its input.

    Args:
        module: (M, ...) to (M, ...) of ``shape``.
        images: (N, ...).
        present: (N,) bool, on the CPU.
        shape: Of one result, for a batch in which nobody is present.

    Returns:
        (N, ...) of ``shape``, zero where absent.
    """
    if present.all():
        return module(images)
    if not present.any():
        return images.new_zeros(len(images), *shape)
    rows = present.nonzero().flatten().to(images.device)
    outputs = module(images.index_select(0, rows))
    padded = outputs.new_zeros(len(images), *outputs.shape[1:])
    return padded.index_copy(0, rows, outputs)


def fill_absent(values: Tensor, present: Tensor, token: Tensor) -> Tensor:
    """Put a token where a case is absent.

    Args:
        values: (N, D) or maps (N, D, ...).
        present: (N,) bool.
        token: (D,).
    """
    ones = (1,) * (values.ndim - 2)
    mask = present.to(values.device).reshape(-1, 1, *ones)
    return torch.where(mask, values, token.reshape(1, -1, *ones))


def halve_shape(shape: Sequence[int], times: int = 1) -> tuple[int, ...]:
    """Sides of a map after convolutions of stride 2."""
    for _ in range(times):
        shape = [-(-n // 2) for n in shape]
    return tuple(shape)
