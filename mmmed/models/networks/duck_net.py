"""DUCK-Net: six kinds of convolution side by side, and the image at every level."""

from torch import Tensor, nn
from torch.nn import functional

from mmmed.models.networks.initialization import init_he_normal, init_output_prior
from mmmed.models.networks.padded_network import PaddedNetwork
from mmmed.registry import MODELS

_SEPARATED_SIZE = 6


@MODELS.register_module()
class DUCKNet(PaddedNetwork):
    """DUCK-Net: images (N, C, Y, X) to logits (N, K, Y, X).

    An encoder-decoder whose blocks add six branches (:class:`DUCKBlock`). Beside the
    features, strided convolutions alone bring the image itself down; the two are
    added at every level, and skip connections are added, not joined. Two pairs of
    residual blocks are the bottom. With the defaults: 38,865,556 parameters for one
    channel.

    Args:
        in_channels: Channels of the images.
        out_channels: Channels of the logits.
        depth: Halvings, 5 in the paper; images are padded to multiples of
            ``2 ** depth`` and cut back.
        init_features: Filters of the first level, 17 and 34 in the paper.
        use_multiplier: Whether filters double at each halving, as in the paper.
        interpolation: ``'nearest'``, as in the paper, or ``'bilinear'``.
        prior_prob: Foreground probability of the untrained network, in (0, 1). None,
            as published, starts near 0.5.
        init_cfg: For pretrained weights.

    Raises:
        ValueError: An argument is impossible.

    Source:
        Dumitru et al. 2023, doi:10.1038/s41598-023-36940-5. Differs: logits instead
        of probabilities, any image size, other depths.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 1,
        depth: int = 5,
        init_features: int = 17,
        *,
        use_multiplier: bool = True,
        interpolation: str = 'nearest',
        prior_prob: float | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(in_channels, out_channels, init_cfg=init_cfg)
        if depth < 1 or init_features < 1:
            raise ValueError(
                f'depth and init_features must be >= 1, got {depth} and {init_features}'
            )
        if interpolation not in ('nearest', 'bilinear'):
            raise ValueError(
                f"interpolation must be 'nearest' or 'bilinear', got {interpolation!r}"
            )
        self.size_divisor = 2**depth
        self.interpolation = interpolation
        growth = 2 if use_multiplier else 1
        widths = [init_features * growth**level for level in range(depth + 1)]
        self.encoder = nn.ModuleList(
            DUCKBlock(widths[level] if level else in_channels, widths[level])
            for level in range(depth)
        )
        self.shrink_features = _build_shrinking(widths[:-1], widths[1:])
        self.shrink_image = _build_shrinking([in_channels, *widths[1:-1]], widths[1:])
        self.bottom = nn.Sequential(
            ResidualBlock(widths[-1], widths[-1]),
            ResidualBlock(widths[-1], widths[-1]),
            ResidualBlock(widths[-1], widths[-2]),
            ResidualBlock(widths[-2], widths[-2]),
        )
        # A block gives as many maps as the skip connection above it has.
        self.decoder = nn.ModuleList(
            DUCKBlock(widths[level], widths[max(0, level - 1)])
            for level in range(depth)
        )
        self.head = nn.Conv2d(widths[0], out_channels, 1)
        init_he_normal(self)
        init_output_prior(self.head, prior_prob)

    def compute_logits(self, x: Tensor) -> Tensor:
        """Logits of images whose sizes are multiples of ``2 ** depth``."""
        image, skips = x, []
        for block, shrink_features, shrink_image in zip(
            self.encoder, self.shrink_features, self.shrink_image, strict=True
        ):
            skips.append(block(x))
            image = shrink_image(image)
            x = shrink_features(skips[-1]) + image
        x = self.bottom(x)
        for block, skip in zip(reversed(self.decoder), reversed(skips), strict=True):
            x = functional.interpolate(x, scale_factor=2.0, mode=self.interpolation)
            x = block(x + skip)
        return self.head(x)


class DUCKBlock(nn.Module):
    """Sum of six branches between two norms: (N, C, Y, X) to (N, D, Y, X).

    Dilations 1, 2, 3 (wide scope: 13 pixels across) and 1, 2 (middle scope), one, two
    and three residual blocks, and a 6x6 kernel as a row and a column.

    Args:
        in_channels: C.
        out_channels: D.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm_in = nn.BatchNorm2d(in_channels)
        self.branches = nn.ModuleList(
            [
                _chain_dilations(in_channels, out_channels, (1, 2, 3)),
                _chain_dilations(in_channels, out_channels, (1, 2)),
                *(_chain_residuals(in_channels, out_channels, n) for n in (1, 2, 3)),
                _build_separated(in_channels, out_channels),
            ]
        )
        self.norm_out = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """The branches' sum, normalised."""
        x = self.norm_in(x)
        total = self.branches[0](x)
        for branch in self.branches[1:]:
            total = total + branch(x)
        return self.norm_out(total)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside one of 1x1, added and normalised.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.short = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 1), nn.ReLU(inplace=True)
        )
        self.long = _chain_dilations(in_channels, out_channels, (1, 1))
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, ``out_channels``, Y, X)."""
        return self.norm(self.short(x) + self.long(x))


def _build_unit(conv: nn.Conv2d) -> list[nn.Module]:
    # The norm comes after the rectification, as published.
    return [conv, nn.ReLU(inplace=True), nn.BatchNorm2d(conv.out_channels)]


def _chain_dilations(
    in_channels: int, out_channels: int, dilations: tuple[int, ...]
) -> nn.Sequential:
    units = []
    for dilation in dilations:
        units += _build_unit(
            nn.Conv2d(in_channels, out_channels, 3, padding=dilation, dilation=dilation)
        )
        in_channels = out_channels
    return nn.Sequential(*units)


def _chain_residuals(
    in_channels: int, out_channels: int, repeats: int
) -> nn.Sequential:
    rest = [ResidualBlock(out_channels, out_channels) for _ in range(repeats - 1)]
    return nn.Sequential(ResidualBlock(in_channels, out_channels), *rest)


def _build_separated(in_channels: int, out_channels: int) -> nn.Sequential:
    size = _SEPARATED_SIZE
    before, after = (size - 1) // 2, size // 2
    row = nn.Conv2d(in_channels, out_channels, (1, size))
    column = nn.Conv2d(out_channels, out_channels, (size, 1))
    return nn.Sequential(
        nn.ZeroPad2d((before, after, 0, 0)),
        *_build_unit(row),
        nn.ZeroPad2d((0, 0, before, after)),
        *_build_unit(column),
    )


def _build_shrinking(before: list[int], after: list[int]) -> nn.ModuleList:
    return nn.ModuleList(
        nn.Conv2d(a, b, 2, stride=2) for a, b in zip(before, after, strict=True)
    )
