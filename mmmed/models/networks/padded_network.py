"""What complete networks share: images of any size, padded inside and cut back."""

from abc import ABCMeta, abstractmethod

from mmengine.model import BaseModule
from torch import Tensor
from torch.nn import functional


class PaddedNetwork(BaseModule, metaclass=ABCMeta):
    """A network whose four halvings want multiples of 16, for images of any size.

    Input (N, ``in_channels``, Y, X) of any Y and X; output logits
    (N, ``out_channels``, Y, X). Margins are zeros: half of them, rounded down, before
    the image, the rest after, and cut from the logits. A size that needs no margin is
    left alone. Published placements on the 197 x 233 x 189 grid are the same except
    that the rows of axial slices have 6 before and 5 after (here 5 and 6), and that
    189 was padded to 208, where 192 is enough.

    Args:
        in_channels: Channels of the images.
        out_channels: Channels of the logits: 1 for sigmoid, K for softmax.
        init_cfg: See :class:`mmengine.model.BaseModule`, for pretrained weights.

    Raises:
        ValueError: A number of channels is not positive.
    """

    size_divisor = 16

    def __init__(
        self, in_channels: int, out_channels: int, *, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        if min(in_channels, out_channels) < 1:
            raise ValueError(
                f'in_channels and out_channels must be >= 1, got {in_channels} and '
                f'{out_channels}'
            )
        self.in_channels = in_channels
        self.out_channels = out_channels

    @abstractmethod
    def compute_logits(self, x: Tensor) -> Tensor:
        """Logits of images whose sizes are multiples of ``size_divisor``."""

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, ``out_channels``, Y, X) of images (N, ``in_channels``, Y, X).

        Raises:
            ValueError: ``x`` has another shape.
        """
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ValueError(
                f'{type(self).__name__} got images of shape {tuple(x.shape)}, expected '
                f'(N, {self.in_channels}, Y, X); set in_channels to what the data have'
            )
        height, width = x.shape[2:]
        rows, columns = (_split_margin(n, self.size_divisor) for n in (height, width))
        if not any((*rows, *columns)):
            return self.compute_logits(x)
        logits = self.compute_logits(functional.pad(x, (*columns, *rows)))
        return logits[..., rows[0] : rows[0] + height, columns[0] : columns[0] + width]


def check_width(base_channels: int, divisor: int = 1) -> None:
    """Refuse a width that a network cannot have.

    Raises:
        ValueError: ``base_channels`` is not a positive multiple of ``divisor``.
    """
    if base_channels < 1 or base_channels % divisor:
        raise ValueError(
            f'base_channels must be a positive multiple of {divisor}, got '
            f'{base_channels}'
        )


def _split_margin(size: int, divisor: int) -> tuple[int, int]:
    # Not -size % divisor: torch 2.13 cannot compile % of a size that varies.
    margin = (size + divisor - 1) // divisor * divisor - size
    return margin // 2, margin - margin // 2
