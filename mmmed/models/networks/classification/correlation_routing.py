"""The correlation routing network (CRN): each question reads the sequences it needs.

Its last part, the signal relay, is a head (``models/cls_heads``).
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from mmmed.models.networks.classification.layers import average_map
from mmmed.models.networks.classification.roi_resnet import (
    Stage,
    Stem,
    count_channels,
)
from mmmed.models.networks.classification.routing import LIVER_ROUTING, check_routing
from mmmed.models.networks.classification.sequences import (
    SequenceNetwork,
    fill_absent,
    halve_shape,
    run_present,
)
from mmmed.models.networks.classification.target_attention import TargetSelfAttention
from mmmed.models.networks.classification.variants import (
    CRN,
    ResNetWidths,
    find_variant,
)
from mmmed.registry import MODELS


@MODELS.register_module()
class CorrelationRoutingNetwork(SequenceNetwork):
    """Each sequence has an encoder, each target a branch on the sequences it needs.

    Input (N, S, C, Z, Y, X) and (N, S); output tokens (N, T, D), targets in the order
    of ``routing``, or (N, D) with ``common_branch``. Encoders give maps of half the
    size, branches of an eighth.

    With ten sequences of six channels, two dimensions, eleven binary signs and a type
    of six classes, the head with its relay included: 93,298 parameters (0.1) to
    35,526,410 (1.5); 575,306 for 1.1.

    A sequence that a case lacks is masked: its maps are zero (or a learned token), its
    encoder does not run; a target none of whose sequences are there has a zero (or
    learned) token, to which the attention of others pays no heed.

    Encoders run one after the other: as one grouped convolution, cases that lack the
    sequence could not be left out.

    Args:
        sequences: Their names, in the order of S.
        routing: Names of sequences for each target, the type last; None for
            :data:`LIVER_ROUTING`.
        variant: Row of ``variants.CRN``: 0.1 to 0.3, 1.1 to 1.5.
        dims: 3 for volumes; 2 for slices as channels, as published.
        channels: C.
        slices: Z, needed with ``dims=2``.
        shared_encoder: Ablation: one encoder for all sequences.
        common_branch: Ablation: one branch on all sequences for all targets. With
            ``shared_encoder`` this is plain middle fusion.
        attention: Whether tokens look at one another; False is an ablation.
        heads: Of the attention; D is a multiple.
        drop_path: Probability that a training case skips a branch of the attention.
        missing: ``zero`` or ``token``, see above.
        legacy_pool: Of an 80x80 image ignore the last fifth, as published; see
            :func:`average_map`.

    Attributes:
        routing: Sequences of each target.
        targets: Names of the targets, in the order of T.
        cam_layers: Module whose output are the last maps of each target, for Grad-CAM.
        encoder_layers: The same of each sequence's encoder. The output holds the
            cases that have the sequence (of a shared encoder: case by case).

    Raises:
        ValueError: The routing does not fit the sequences.

    Source:
        Wang et al. 2025, doi:10.1016/j.media.2025.103790, and RRMediCa.
        Differs: sequences may be missing; three dimensions; the whole map is averaged
        (``legacy_pool=False``).
    """

    def __init__(
        self,
        sequences: Sequence[str],
        routing: Mapping[str, Sequence[str]] | None = None,
        variant: str = '1.1',
        dims: int = 3,
        channels: int = 1,
        slices: int | None = None,
        shared_encoder: bool = False,
        common_branch: bool = False,
        attention: bool = True,
        heads: int = 8,
        drop_path: float = 0.2,
        missing: str = 'zero',
        legacy_pool: bool = False,
    ) -> None:
        super().__init__(
            sequences, dims=dims, channels=channels, slices=slices, missing=missing
        )
        widths = find_variant('CorrelationRoutingNetwork', CRN, variant)
        table = LIVER_ROUTING if routing is None else routing
        self.routing = check_routing(table, self.sequences, all_used=not common_branch)
        self.targets = tuple(self.routing)
        self.legacy_pool = legacy_pool
        branches = {_name_module(t): names for t, names in self.routing.items()}
        if common_branch:
            branches = {'common': self.sequences}
        self._sources = {
            key: [self.sequences.index(name) for name in names]
            for key, names in branches.items()
        }
        self.map_channels = count_channels(widths, 1)
        self.out_channels = count_channels(widths, 3)
        self.encoders = nn.ModuleList(
            _Encoder(dims, self.sequence_channels, widths)
            for _ in (self.sequences[:1] if shared_encoder else self.sequences)
        )
        # By name: a configuration that MMEngine has written has its keys sorted, and
        # weights must find their target all the same.
        self.branches = nn.ModuleDict(
            {
                key: _Branch(dims, len(sources) * self.map_channels, widths)
                for key, sources in self._sources.items()
            }
        )
        self.num_tokens = None if common_branch else len(self.targets)
        # One vector has nothing to look at.
        self.attention: TargetSelfAttention | None = None
        if attention and not common_branch:
            self.attention = TargetSelfAttention(
                self.out_channels, heads=heads, drop_path=drop_path
            )
        if missing == 'token':
            shape = len(self.sequences), self.map_channels
            self.missing_maps = nn.Parameter(torch.zeros(shape))
            self.missing_tokens = nn.ParameterDict(
                {key: torch.zeros(self.out_channels) for key in self._sources}
            )

    @property
    def cam_layers(self) -> dict[str, str]:
        """Module of each target whose output are its last maps."""
        if self.num_tokens is None:
            return dict.fromkeys(self.targets, 'branches.common')
        return {t: f'branches.{_name_module(t)}' for t in self.targets}

    @property
    def cam_layer(self) -> str:
        """That of the last target, the type."""
        return self.cam_layers[self.targets[-1]]

    @property
    def encoder_layers(self) -> dict[str, str]:
        """Module of each sequence whose output are its encoder's maps."""
        last = len(self.encoders) - 1
        return {s: f'encoders.{min(i, last)}' for i, s in enumerate(self.sequences)}

    def forward(self, inputs: Tensor, available: Tensor | None = None) -> Tensor:
        """Tokens (N, T, D), or (N, D) with one common branch."""
        inputs, present = self.split(inputs, available)
        maps = self.encode(inputs, present)
        seen = {key: present[:, s].any(1) for key, s in self._sources.items()}
        joined = [self._join(maps, known, key) for key, known in seen.items()]
        tokens, known = torch.stack(joined, 1), torch.stack([*seen.values()], 1)
        if self.num_tokens is None:
            return tokens[:, 0]
        if self.attention is None:
            return tokens
        return self.attention(tokens, None if known.all() else known.to(tokens.device))

    def encode(self, inputs: Tensor, present: Tensor) -> list[Tensor]:
        """Maps (N, channels, [Z,] Y, X) of each sequence, of half the size.

        Args:
            inputs: As :meth:`split` gives them.
            present: The mask beside them.
        """
        shape = self.map_channels, *halve_shape(inputs.shape[3:])
        if len(self.encoders) < len(self.sequences):
            flat = run_present(
                self.encoders[0], inputs.flatten(0, 1), present.flatten(), shape
            )
            maps = list(flat.unflatten(0, present.shape).unbind(1))
        else:
            maps = [
                run_present(encoder, inputs[:, i], present[:, i], shape)
                for i, encoder in enumerate(self.encoders)
            ]
        if self.missing == 'token':
            maps = [
                fill_absent(m, present[:, i], self.missing_maps[i])
                for i, m in enumerate(maps)
            ]
        return maps

    def _join(self, maps: Sequence[Tensor], known: Tensor, key: str) -> Tensor:
        """Token (N, D) of one branch."""
        routed = torch.cat([maps[i] for i in self._sources[key]], 1)
        shape = self.out_channels, *halve_shape(routed.shape[2:], 2)
        joint = run_present(self.branches[key], routed, known, shape)
        token = average_map(joint, legacy_pool=self.legacy_pool)
        if self.missing == 'token':
            token = fill_absent(token, known, self.missing_tokens[key])
        return token


class _Encoder(nn.Sequential):
    """Stem and two stages: half the size."""

    def __init__(self, dims: int, in_channels: int, widths: ResNetWidths) -> None:
        super().__init__()
        self.stem = Stem(dims, in_channels, widths.stem)
        self.stage1 = Stage(dims, widths.stem, widths, 0)
        self.stage2 = Stage(dims, count_channels(widths, 0), widths, 1)


class _Branch(nn.Sequential):
    """The other two stages: a quarter of the encoder's size."""

    def __init__(self, dims: int, in_channels: int, widths: ResNetWidths) -> None:
        super().__init__()
        self.stage3 = Stage(dims, in_channels, widths, 2)
        self.stage4 = Stage(dims, count_channels(widths, 2), widths, 3)


def _name_module(target: str) -> str:
    """A target as the name of a module: no dot, and no method such as "type"."""
    return 'for_' + target.replace('.', '-')
