import pytest
import torch

from mmmed.models.networks import RAXNet

ABLATION = {'num_units': (1, 1, 1), 'use_shortcut': False, 'use_rau': False}


@pytest.fixture(scope='module')
def network():
    return RAXNet().eval()


def test_counts_of_the_paper(network, count):
    assert count(network) == (4_829_665, 7_808)


@pytest.mark.parametrize(
    ('stage', 'expected'),
    [
        ('stem', 448),
        ('encoder.0', 25_856),
        ('encoder.1', 267_136),
        ('encoder.2', 1_058_560),
        ('decoder.0', 2_530_048),
        ('decoder.1', 798_080),
        ('decoder.2', 126_016),
        ('decoder.3', 31_296),
        ('head', 33),
    ],
)
def test_counts_of_each_stage(network, count, stage, expected):
    assert sum(count(network.get_submodule(stage))) == expected


def test_published_ablation(count):
    assert sum(count(RAXNet(**ABLATION))) == 2_247_137


@pytest.mark.parametrize('size', [(208, 240), (240, 208), (208, 208), (197, 233)])
def test_sizes_of_the_three_planes(network, size):
    with torch.no_grad():
        assert network(torch.rand(1, 1, *size)).shape == (1, 1, *size)


@pytest.mark.parametrize(('size', 'gmac'), [((208, 240), 4.27), ((208, 208), 3.70)])
def test_work_in_the_published_order(network, count_macs, size, gmac):
    macs = count_macs(network, torch.rand(1, 1, *size))
    # The published graph upsamples before these convolutions: four times the pixels.
    published = sum(
        work * (4 if name.endswith('from_below') else 1) for name, work in macs.items()
    )
    assert published / 1e9 == pytest.approx(gmac, abs=0.005)
    assert sum(macs.values()) < 0.94 * published


def test_stages_have_the_published_sizes(network):
    sizes = {}
    for name in ('stem', 'encoder.0', 'encoder.2', 'decoder.0', 'decoder.3'):
        network.get_submodule(name).register_forward_hook(
            lambda _, __, y, name=name: sizes.update({name: tuple(y.shape[1:])})
        )
    with torch.no_grad():
        network(torch.rand(1, 1, 208, 240))
    assert sizes == {
        'stem': (32, 104, 120),
        'encoder.0': (64, 52, 60),
        'encoder.2': (256, 13, 15),
        'decoder.0': (256, 26, 30),
        'decoder.3': (32, 208, 240),
    }


def test_attention_is_added_or_multiplies():
    torch.manual_seed(0)
    x, skip = torch.rand(1, 64, 4, 6), torch.rand(1, 2, 8, 12)
    for gate in ('none', 'sigmoid'):
        block = RAXNet(2, base_channels=32, rau_gate=gate).eval().decoder[-1]
        with torch.no_grad():
            features = block.units(x).repeat_interleave(2, 2).repeat_interleave(2, 3)
            attention = block.attention(x, skip)
            found = block(x, skip)
        expected = features + attention
        if gate == 'sigmoid':
            expected = features + features * torch.sigmoid(attention)
        torch.testing.assert_close(found, expected)


def test_unit_upsamples_as_if_before_its_convolution():
    torch.manual_seed(0)
    unit = RAXNet(base_channels=4).eval().decoder[1].attention
    below, skip = torch.rand(2, 32, 3, 5), torch.rand(2, 8, 6, 10)
    raised = below.repeat_interleave(2, 2).repeat_interleave(2, 3)
    with torch.no_grad():
        expected = unit.mix(torch.relu(unit.from_below(raised) + unit.from_skip(skip)))
        torch.testing.assert_close(unit(below, skip), expected)


def test_gate_has_the_same_parameters(count):
    assert count(RAXNet(rau_gate='sigmoid')) == (4_829_665, 7_808)


def test_inputs_of_blocks_are_not_overwritten():
    # Their shortcuts and attention units need them as they were.
    network = RAXNet(base_channels=4).eval()
    for block, channels in ((network.encoder[1], 8), (network.decoder[0], 32)):
        x = torch.randn(1, channels, 8, 8)
        before = x.clone()
        with torch.no_grad():
            block(x) if channels == 8 else block(x, torch.rand(1, 16, 16, 16))
        torch.testing.assert_close(x, before, rtol=0, atol=0)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'num_units': (1, 2)}, 'num_units must hold'),
        ({'num_units': (1, 0, 2)}, 'num_units must hold'),
        ({'rau_gate': 'softmax'}, 'rau_gate must be one of'),
        ({'rau_gate': 'sigmoid', 'use_rau': False}, 'needs use_rau=True'),
    ],
)
def test_impossible_options_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        RAXNet(**settings)
