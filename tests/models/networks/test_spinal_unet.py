import pytest
import torch
from torch import nn

from mmmed.models.networks import SpinalUNet

# Features: parameters with and without batch norm.
SIZES = {
    6: (273_929, 272_825),
    8: (486_419, 484_947),
    10: (759_501, 757_661),
    12: (1_093_175, 1_090_967),
    14: (1_487_441, 1_484_865),
    16: (1_942_299, 1_939_355),
    32: (7_762_475, 7_756_587),
    64: (31_036_491, 31_024_715),
}


@pytest.mark.parametrize('features', SIZES)
def test_size_of_the_source(features, count):
    with torch.device('meta'):
        found = [
            count(SpinalUNet(features=features, use_batch_norm=norm))[0]
            for norm in (True, False)
        ]
    assert tuple(found) == SIZES[features]


def test_attention_adds_what_its_definition_says(count):
    with torch.device('meta'):
        assert count(SpinalUNet(attention=True))[0] == 1_942_299 + 22_612


@pytest.mark.parametrize(('features', 'giga'), [(6, 0.67), (16, 4.71), (64, 75.1)])
def test_work_of_the_source(features, giga, count_macs):
    with torch.device('meta'):
        network = SpinalUNet(features=features)
        ups = []
        for up in network.ups:
            up.register_forward_hook(
                lambda up, inputs, _: ups.append(
                    inputs[0].numel() * up.weight[0].numel()
                )
            )
        macs = sum(count_macs(network, torch.rand(1, 1, 320, 320)).values())
    assert (macs + sum(ups)) / 1e9 == pytest.approx(giga, rel=0.005)


def make_network(**settings):
    torch.manual_seed(0)
    return SpinalUNet(**{'depth': 2, 'features': 4, **settings})


@pytest.mark.parametrize('attention', [False, True], ids=['plain', 'attention'])
def test_maps_from_below_stand_before_the_skip(attention, stir):
    network = stir(make_network(attention=attention)).eval()
    seen = {}
    first = network.decoder[0].first.filters.conv
    first.register_forward_pre_hook(lambda _, inputs: seen.update(joined=inputs[0]))
    network.ups[0].register_forward_hook(lambda *args: seen.update(up=args[2]))
    network.encoder[0].register_forward_hook(lambda *args: seen.update(skip=args[2]))
    with torch.no_grad():
        network(torch.rand(1, 1, 8, 12))
        skip = seen['skip']
        if attention:
            skip = network.gates[0](seen['up'], skip)
    torch.testing.assert_close(
        seen['joined'], torch.cat([seen['up'], skip], dim=1), rtol=0, atol=0
    )


def test_gate_is_the_published_formula():
    gate = make_network(attention=True, use_batch_norm=False).gates[0]
    up, skip = torch.rand(1, 4, 3, 5), torch.rand(1, 4, 3, 5)
    with torch.no_grad():
        inner = [
            torch.einsum('oi,nixy->noxy', pair.conv.weight[..., 0, 0], x)
            + pair.conv.bias[:, None, None]
            for pair, x in ((gate.from_up, up), (gate.from_skip, skip))
        ]
        score = gate.score.conv(sum(inner).clamp(min=0))
        expected = skip / (1 + (-score).exp())
        torch.testing.assert_close(gate(up, skip), expected)


def test_it_gives_logits_and_the_untrained_guess_is_the_prior():
    network = make_network(prior_prob=0.01)
    nn.init.zeros_(network.head.weight)
    logits = network(torch.rand(2, 1, 7, 13))
    assert logits.shape == (2, 1, 7, 13)
    torch.testing.assert_close(logits.sigmoid(), torch.full_like(logits, 0.01))
    activations = (nn.Sigmoid, nn.Softmax)
    assert not any(isinstance(part, activations) for part in network.modules())


@pytest.mark.parametrize('attention', [False, True], ids=['plain', 'attention'])
def test_a_size_that_fits_no_halving_is_padded_and_cut(attention, stir):
    network = stir(make_network(attention=attention)).eval()
    x = torch.rand(1, 1, 10, 15)
    padded = nn.functional.pad(x, (0, 1, 1, 1))
    with torch.no_grad():
        torch.testing.assert_close(
            network(x), network(padded)[..., 1:-1, :-1], rtol=0, atol=0
        )


def test_dropout_acts_on_whole_maps_in_training_only():
    network = make_network(dropout=0.5)
    maps = []
    network.encoder[0].first.register_forward_hook(lambda *args: maps.append(args[2]))
    x = torch.rand(4, 1, 8, 8)
    network(x)
    dropped = (maps[0] == 0).flatten(2).all(2)
    assert 0 < dropped.float().mean() < 1
    assert torch.equal(network.eval()(x), network(x))


def test_it_is_built_from_the_architecture_of_another():
    network = make_network(attention=True)
    network.remove_filters('encoder0_second', [1])
    network.remove_filters('gate1', [0, 2])
    twin = make_network(attention=True, features=9, architecture=network.architecture)
    twin.load_state_dict(network.state_dict())
    x = torch.rand(1, 1, 8, 12)
    assert torch.equal(twin.eval()(x), network.eval()(x))


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'depth': 0}, 'depth and features must be >= 1'),
        ({'dropout': 1.0}, r'dropout lie in \[0, 1\)'),
        ({'architecture': {'encoder0_first': 3}}, "lacks .'bottleneck_first'"),
        ({'out_channels': 0}, 'must be >= 1, got 1 and 0'),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        make_network(**settings)
    whole = make_network().architecture
    with pytest.raises(ValueError, match=r"whole numbers >= 1, got .'up0': 0"):
        make_network(architecture={**whole, 'up0': 0})
