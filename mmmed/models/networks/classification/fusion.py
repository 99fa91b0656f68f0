"""Several sequences around one backbone: as channels of one, or one vector each.

Not here: fusion by target (``correlation_routing``), between stages (there, with
``shared_encoder`` and ``common_branch``; ``uniformer``).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmmed.models.networks.classification.sequences import (
    SequenceNetwork,
    fill_absent,
    run_present,
)
from mmmed.registry import MODELS

FUSIONS = ('mean', 'concat', 'attention')


@MODELS.register_module()
class EarlyFusionEncoder(SequenceNetwork):
    """All sequences as channels of one backbone.

    Input (N, S, C, Z, Y, X) and (N, S); output (N, D), D that of the backbone, and S
    more with ``append_available``. A missing sequence is zero in every voxel, or its
    learned value.

    Args:
        backbone: Config of a network (N, C, [Z,] Y, X) to (N, D); its ``in_channels``
            is set here, and its ``dims`` (3 by default) tells whether slices become
            channels.
        sequences: Names of the sequences, or how many.
        channels: C.
        slices: Z, needed with a backbone of ``dims=2``.
        missing: ``zero`` or ``token``.
        append_available: Whether the features end with the mask, as 0 and 1: zero is a
            grey value too. False for the published networks.

    Attributes:
        cam_layer: Module whose output are the last maps, for Grad-CAM.
    """

    def __init__(
        self,
        backbone: Mapping[str, Any],
        sequences: int | Sequence[str],
        channels: int = 1,
        slices: int | None = None,
        missing: str = 'zero',
        append_available: bool = True,
    ) -> None:
        super().__init__(
            sequences,
            dims=backbone.get('dims', 3),
            channels=channels,
            slices=slices,
            missing=missing,
        )
        total = len(self.sequences) * self.sequence_channels
        self.backbone = MODELS.build({**backbone, 'in_channels': total})
        self.append_available = append_available
        self.out_channels: int = self.backbone.out_channels
        if append_available:
            self.out_channels += len(self.sequences)
        if missing == 'token':
            shape = len(self.sequences), self.sequence_channels
            self.missing_values = nn.Parameter(torch.zeros(shape))

    @property
    def cam_layer(self) -> str:
        """The backbone's."""
        return f'backbone.{self.backbone.cam_layer}'

    def forward(self, inputs: Tensor, available: Tensor | None = None) -> Tensor:
        """Features (N, D)."""
        images, present = self.split(inputs, available)
        mask = present.to(images.device)
        if not present.all():
            token = images.new_zeros(images.shape[1:3])
            if self.missing == 'token':
                token = self.missing_values
            space = (1,) * self.dims
            images = torch.where(
                mask.reshape(*mask.shape, 1, *space),
                images,
                token.reshape(1, *token.shape, *space),
            )
        features = self.backbone(images.flatten(1, 2))
        if self.append_available:
            features = torch.cat([features, mask.to(features.dtype)], 1)
        return features


@MODELS.register_module()
class PerSequenceEncoder(SequenceNetwork):
    """One vector of every sequence, and one of them all.

    Input (N, S, C, Z, Y, X) and (N, S). Output (N, D) of the backbone, or
    (N, S * D + S), the mask at the end, for ``concat``. Encoders run on the cases that
    have the sequence. A case without any has zeros, or the tokens.

    Args:
        backbone: Config of a network (N, C, [Z,] Y, X) to (N, D); its ``in_channels``
            is set here, and its ``dims`` (3 by default) tells whether slices become
            channels.
        sequences: Names of the sequences, or how many.
        shared: One encoder for all, or one each.
        fusion: ``mean`` over those that are there; ``concat``; ``attention``, a mean
            with learned weights that depend on the vectors and on which sequences
            they are of.
        channels: C.
        slices: Z, needed with a backbone of ``dims=2``.
        missing: ``zero``, or ``token``: a learned vector, which then counts as there.

    Attributes:
        cam_layers: Module of each sequence whose output are its last maps, for
            Grad-CAM. The output holds the cases that have the sequence (of a shared
            encoder: all sequences of the first case, then of the next).

    Raises:
        ValueError: ``fusion`` is unknown.

    Source:
        Attention: Ilse et al. 2018, arXiv:1802.04712, eq. (8), with an embedding of
        the sequence in its hidden layer.
    """

    def __init__(
        self,
        backbone: Mapping[str, Any],
        sequences: int | Sequence[str],
        shared: bool = True,
        fusion: str = 'mean',
        channels: int = 1,
        slices: int | None = None,
        missing: str = 'zero',
    ) -> None:
        super().__init__(
            sequences,
            dims=backbone.get('dims', 3),
            channels=channels,
            slices=slices,
            missing=missing,
        )
        if fusion not in FUSIONS:
            raise ValueError(f'fusion must be one of {FUSIONS}, got {fusion!r}')
        self.fusion = fusion
        encoders = [
            MODELS.build({**backbone, 'in_channels': self.sequence_channels})
            for _ in (self.sequences[:1] if shared else self.sequences)
        ]
        self.encoders = nn.ModuleList(encoders)
        count, width = len(self.sequences), encoders[0].out_channels
        self.width: int = width
        self.out_channels = count * (width + 1) if fusion == 'concat' else width
        if fusion == 'attention':
            self.attention = SequenceAttention(count, width)
        if missing == 'token':
            self.missing_tokens = nn.Parameter(torch.zeros(count, width))

    @property
    def cam_layers(self) -> dict[str, str]:
        """Module of each sequence whose output are its last maps."""
        last = len(self.encoders) - 1
        inner = self.encoders[0].cam_layer
        return {
            s: f'encoders.{min(i, last)}.{inner}' for i, s in enumerate(self.sequences)
        }

    def forward(self, inputs: Tensor, available: Tensor | None = None) -> Tensor:
        """Features (N, D)."""
        images, present = self.split(inputs, available)
        vectors = self.encode(images, present)
        mask = present.to(vectors.device)
        if self.fusion == 'concat':
            return torch.cat([vectors.flatten(1), mask.to(vectors.dtype)], 1)
        counted = torch.ones_like(mask) if self.missing == 'token' else mask
        if self.fusion == 'attention':
            return self.attention(vectors, counted)
        weights = counted.to(vectors.dtype)
        # Without any sequence: zero of one.
        share = weights / weights.sum(1, keepdim=True).clamp(min=1)
        return torch.einsum('ns,nsd->nd', share, vectors)

    def encode(self, images: Tensor, present: Tensor) -> Tensor:
        """Vectors (N, S, D) of every sequence.

        Args:
            images: As :meth:`split` gives them.
            present: The mask beside them.
        """
        shape = (self.width,)
        if len(self.encoders) < len(self.sequences):
            flat = run_present(
                self.encoders[0], images.flatten(0, 1), present.flatten(), shape
            )
            vectors = flat.unflatten(0, present.shape)
        else:
            vectors = torch.stack(
                [
                    run_present(encoder, images[:, i], present[:, i], shape)
                    for i, encoder in enumerate(self.encoders)
                ],
                1,
            )
        if self.missing == 'zero':
            return vectors
        filled = [
            fill_absent(vectors[:, i], present[:, i], self.missing_tokens[i])
            for i in range(len(self.sequences))
        ]
        return torch.stack(filled, 1)


class SequenceAttention(nn.Module):
    """A mean of vectors with learned weights.

    Args:
        count: S.
        width: D.

    Attributes:
        weights: A module without parameters whose output are the weights, (N, S),
            before absent sequences are taken out: hook it to see them.
    """

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, width)
        self.embedding = nn.Parameter(torch.zeros(count, width))
        self.score = nn.Linear(width, 1, bias=False)
        self.weights = nn.Softmax(dim=1)

    def forward(self, vectors: Tensor, present: Tensor) -> Tensor:
        """Vectors (N, S, D) to (N, D); ``present`` (N, S) marks those that count."""
        hidden = torch.tanh(self.hidden(vectors) + self.embedding)
        scores = self.score(hidden).squeeze(-1)
        # A finite bottom, for a softmax over nothing is not a number.
        scores = scores.masked_fill(~present, torch.finfo(scores.dtype).min)
        weights = self.weights(scores) * present
        return torch.einsum('ns,nsd->nd', weights, vectors)
