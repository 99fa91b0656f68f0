"""Early fusion and one vector a sequence: arithmetic, missing sequences."""

import pytest
import torch

from mmmed.registry import MODELS

AVAILABLE = torch.tensor([[1, 0, 1], [1, 1, 0], [0, 0, 0]], dtype=torch.bool)


def build(kind, dims=3, **settings):
    torch.manual_seed(0)
    backbone = {'type': 'mmmed.ROIResNet', 'variant': '1.1', 'dims': dims}
    settings = {'slices': 4, **settings}
    return MODELS.build(
        {'type': f'mmmed.{kind}', 'backbone': backbone, 'sequences': 3, **settings}
    )


def make_batch(n=3, channels=1):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(n, 3, channels, 4, 17, 18, generator=generator)


KINDS = [
    ('EarlyFusionEncoder', {}),
    ('PerSequenceEncoder', {'fusion': 'mean', 'shared': False}),
    ('PerSequenceEncoder', {'fusion': 'concat'}),
    ('PerSequenceEncoder', {'fusion': 'attention'}),
]


@pytest.mark.parametrize('dims', [2, 3])
@pytest.mark.parametrize('missing', ['zero', 'token'])
@pytest.mark.parametrize(('kind', 'settings'), KINDS)
def test_a_missing_sequence_does_not_count(kind, settings, missing, dims):
    """Whatever its file held, bit for bit, also while training."""
    network = build(kind, dims, missing=missing, **settings)
    first = make_batch()
    second = torch.where(AVAILABLE[..., None, None, None, None], first, torch.nan)
    output = network(first, AVAILABLE)
    assert output.shape == (3, network.out_channels)
    assert torch.isfinite(output).all()
    output.square().sum().backward()
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    assert all(torch.isfinite(g).all() for g in gradients)
    assert torch.equal(output, network(second, AVAILABLE))
    network.eval()
    assert torch.equal(network(first, AVAILABLE), network(second, AVAILABLE))
    assert not torch.equal(network(first)[1], network(first, AVAILABLE)[1])


def test_early_fusion_is_the_backbone_of_all_channels():
    network = build('EarlyFusionEncoder', 2, channels=2).eval()
    assert network.backbone.in_channels == 3 * 2 * 4
    inputs = make_batch(channels=2)
    features = network(inputs)
    assert network.out_channels == 32 + 3
    torch.testing.assert_close(features[:, :32], network.backbone(inputs.flatten(1, 3)))
    assert (features[:, 32:] == 1).all()
    assert torch.equal(network(inputs, AVAILABLE)[:, 32:], AVAILABLE.float())
    plain = build('EarlyFusionEncoder', append_available=False)
    assert plain(make_batch()).shape == (3, 32)


def test_an_early_token_fills_the_missing_image():
    network = build('EarlyFusionEncoder', missing='token').eval()
    with torch.no_grad():
        network.missing_values[1] = 0.5
    inputs = make_batch(1)
    filled = inputs.clone()
    filled[:, 1] = 0.5
    available = torch.tensor([[True, False, True]])
    assert torch.equal(network(inputs, available)[:, :32], network(filled)[:, :32])


@pytest.mark.parametrize('shared', [True, False])
def test_mean_and_concat_are_of_those_who_are_there(shared):
    mean = build('PerSequenceEncoder', shared=shared).eval()
    assert len(mean.encoders) == (1 if shared else 3)
    inputs = make_batch()
    vectors = [
        mean.encoders[0 if shared else i](inputs[:, i]) for i in range(inputs.shape[1])
    ]
    output = mean(inputs, AVAILABLE)
    torch.testing.assert_close(output[0], (vectors[0][0] + vectors[2][0]) / 2)
    torch.testing.assert_close(output[1], (vectors[0][1] + vectors[1][1]) / 2)
    assert (output[2] == 0).all()
    concat = build('PerSequenceEncoder', shared=shared, fusion='concat').eval()
    output = concat(inputs, AVAILABLE)
    assert output.shape == (3, concat.out_channels) == (3, 3 * 32 + 3)
    expected = torch.cat([vectors[0][0], 0 * vectors[1][0], vectors[2][0]])
    torch.testing.assert_close(output[0, :96], expected)
    assert torch.equal(output[:, 96:], AVAILABLE.float())


def test_attention_weighs_those_who_are_there():
    network = build('PerSequenceEncoder', fusion='attention').eval()
    weights = []
    hooked = network.attention.weights
    hooked.register_forward_hook(lambda *parts: weights.append(parts[2]))
    inputs = make_batch()
    one = torch.tensor([[False, True, False]]).expand(3, 3)
    torch.testing.assert_close(network(inputs, one), network.encoders[0](inputs[:, 1]))
    output = network(inputs, AVAILABLE)
    torch.testing.assert_close(weights[1][:2].sum(1), torch.ones(2))
    assert torch.equal(weights[1][:2] > 0, AVAILABLE[:2])
    assert (output[2] == 0).all()
    # Which sequence it is matters, not only what it shows.
    with torch.no_grad():
        network.attention.embedding[1] += 1
    network(inputs)
    assert not torch.allclose(weights[2], weights[0])


def test_a_token_counts_as_there():
    network = build('PerSequenceEncoder', missing='token').eval()
    with torch.no_grad():
        network.missing_tokens[:] = torch.tensor([[3.0], [6.0], [9.0]])
    assert (network(make_batch(), AVAILABLE)[2] == 6).all()


def test_maps_can_be_hooked():
    early = build('EarlyFusionEncoder')
    assert early.get_submodule(early.cam_layer) is early.backbone.features
    late = build('PerSequenceEncoder', shared=False, sequences=['t1', 't2', 'adc'])
    layers = {name: late.get_submodule(path) for name, path in late.cam_layers.items()}
    assert layers['adc'] is late.encoders[2].features


def test_unknown_fusions_are_refused():
    with pytest.raises(ValueError, match=r"one of .*'attention'.*got 'max'"):
        build('PerSequenceEncoder', fusion='max')
