"""Self-attention among targets, against PyTorch's own."""

import pytest
import torch
from torch.nn import functional

from mmmed.models.networks.classification.target_attention import (
    MaskedAttention,
    TargetSelfAttention,
)


def test_attention_is_that_of_pytorch():
    torch.manual_seed(0)
    ours = MaskedAttention(16, heads=8)
    tokens = torch.rand(3, 5, 16)
    weight = ours.qkv.weight
    theirs, _ = functional.multi_head_attention_forward(
        *(tokens.transpose(0, 1),) * 3,
        embed_dim_to_check=16,
        num_heads=8,
        in_proj_weight=weight,
        in_proj_bias=None,
        bias_k=None,
        bias_v=None,
        add_zero_attn=False,
        dropout_p=0.0,
        out_proj_weight=ours.proj.weight,
        out_proj_bias=ours.proj.bias,
    )
    torch.testing.assert_close(ours(tokens), theirs.transpose(0, 1))


def test_unknown_tokens_are_not_looked_at():
    torch.manual_seed(0)
    layer = TargetSelfAttention(8, heads=4).eval()
    weights = []
    hooked = layer.attention.weights
    hooked.register_forward_hook(lambda *parts: weights.append(parts[2]))
    tokens = torch.rand(2, 3, 8)
    known = torch.tensor([[True, False, True], [False, False, False]])
    first = layer(tokens, known)
    assert torch.isfinite(first).all()
    assert (weights[0][0, :, [0, 2], 1] == 0).all()
    # A case without any: every token sees itself alone.
    assert torch.equal(weights[0][1], torch.eye(3).expand(4, 3, 3))
    changed = tokens.clone()
    changed[0, 1] = 9
    second = layer(changed, known)
    assert torch.equal(first[0, [0, 2]], second[0, [0, 2]])
    assert torch.equal(layer(tokens), layer(tokens, torch.ones_like(known)))


def test_heads_divide_the_width():
    with pytest.raises(ValueError, match='12 channels cannot be divided among 8'):
        TargetSelfAttention(12)
