"""Self-attention among the tokens of several questions about one lesion."""

import torch
from torch import Tensor, nn

from mmmed.models.networks.classification.layers import DropPath


class MaskedAttention(nn.Module):
    """Multi-head self-attention in which some tokens are not looked at.

    Args:
        width: D, a multiple of ``heads``.
        heads: How many.

    Attributes:
        weights: A module without parameters whose output is the attention,
            (N, heads, T, T), rows looking at columns: hook it to see them.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(
                f'{width} channels cannot be divided among {heads} heads; choose heads '
                'that divide them'
            )
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.weights = nn.Softmax(dim=-1)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, known: Tensor | None = None) -> Tensor:
        """Tokens (N, T, D); ``known`` (N, T) marks those to look at."""
        # (3, N, heads, T, D / heads)
        query, key, value = (
            self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        )
        scores = query @ key.transpose(-1, -2) * key.shape[-1] ** -0.5
        if known is not None:
            # Each token sees at least itself: a softmax over nothing is not a number.
            own = torch.eye(x.shape[1], dtype=torch.bool, device=x.device)
            seen = known[:, None, None, :] | own
            scores = scores.masked_fill(~seen, -torch.inf)
        mixed = self.weights(scores) @ value
        return self.proj(mixed.transpose(1, 2).flatten(2))


class TargetSelfAttention(nn.Module):
    """One pre-norm transformer layer over target tokens, without position embedding.

    Args:
        width: D, a multiple of ``heads``.
        heads: Of the attention.
        drop_path: Probability that a training case skips a branch.
        mlp_ratio: Hidden channels of the MLP, in D.

    Source:
        Vaswani et al. 2017, arXiv:1706.03762, in the pre-norm form, as in the
        correlation routing network.
    """

    def __init__(
        self,
        width: int,
        *,
        heads: int = 8,
        drop_path: float = 0.2,
        mlp_ratio: float = 1.0,
    ) -> None:
        super().__init__()
        hidden = int(width * mlp_ratio)
        self.attention_norm = nn.LayerNorm(width)
        self.attention = MaskedAttention(width, heads)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width)
        )
        self.drop_path = DropPath(drop_path)

    def forward(self, tokens: Tensor, known: Tensor | None = None) -> Tensor:
        """Tokens (N, T, D) that have seen one another.

        Args:
            tokens: (N, T, D).
            known: (N, T) bool: tokens that carry something; others look, but are not
                looked at. None for all.
        """
        seen = self.attention(self.attention_norm(tokens), known)
        tokens = tokens + self.drop_path(seen)
        return tokens + self.drop_path(self.mlp(self.mlp_norm(tokens)))
