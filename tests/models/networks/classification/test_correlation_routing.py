"""The correlation routing network: published counts and shapes, missing sequences."""

import pytest
import torch

from mmmed.models.networks.classification.routing import LIVER_ROUTING
from mmmed.registry import MODELS

LIVER = (
    *('preartery', 'lap', 'pv', 'delay', 'ip', 'op', 't2'),
    *('dwi_b0', 'dwi_b1', 'adc'),
)
CLASSES = dict.fromkeys(LIVER_ROUTING, 2) | {'type': 6}
# Ten sequences of five slices and a mask, eleven binary signs, six types; with heads.
COUNTS = {
    '0.1': 93_298,
    '0.2': 121_218,
    '0.3': 193_498,
    '1.1': 575_306,
    '1.2': 1_057_802,
    '1.3': 2_642_698,
    '1.4': 4_839_306,
    '1.5': 35_526_410,
}
SMALL = {
    'sequences': ['t2', 'adc', 'dwi'],
    'routing': {'wet': ['t2', 'adc'], 'dense': ['dwi'], 'type': ['t2', 'adc', 'dwi']},
    'variant': '0.1',
}


def build(**settings):
    torch.manual_seed(0)
    return MODELS.build({'type': 'mmmed.CorrelationRoutingNetwork', **settings})


def build_liver(device='meta', **settings):
    # On "meta" without memory or random numbers: only shapes.
    with torch.device(device):
        network = build(sequences=LIVER, dims=2, slices=6, **settings)
        head = {'type': 'mmmed.SignalRelayHead', 'targets': CLASSES}
        return network, MODELS.build({**head, 'in_channels': network.out_channels})


def count(*modules):
    return sum(p.numel() for module in modules for p in module.parameters())


def make_batch(n=3, *, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, 3, 1, 5, 17, 18, generator=generator)


@pytest.mark.parametrize('variant', COUNTS)
def test_published_numbers_of_parameters(variant):
    assert count(*build_liver(variant=variant)) == COUNTS[variant]


def test_published_parts_of_1_1():
    network, head = build_liver()
    assert [count(encoder) for encoder in network.encoders] == [5_264] * 10
    more = {1: 41_440, 2: 42_720, 3: 44_000, 5: 46_560}
    expected = [more[len(names)] for names in LIVER_ROUTING.values()]
    assert [count(branch) for branch in network.branches.values()] == expected
    layer = network.attention
    assert count(layer.attention) == 4_128
    assert count(layer.mlp) == 2_112
    assert count(layer.attention_norm, layer.mlp_norm) == 128
    assert sorted(count(fc) for fc in head.fcs) == [66] * 11 + [198]
    assert count(head.relay) == 174


def test_published_shapes():
    network, head = build_liver('cpu')
    inputs = torch.rand(2, 10, 1, 6, 80, 80)
    assert network.split(inputs, None)[0].shape == (2, 10, 6, 80, 80)
    seen = {}
    for name in [*network.encoder_layers.values(), *network.cam_layers.values()]:
        layer = network.get_submodule(name)

        def keep(layer, given, output, name=name):
            seen[name] = given[0].shape, output.shape

        layer.register_forward_hook(keep)
    with torch.no_grad():
        tokens = network(inputs)
    assert tokens.shape == (2, 12, 32)
    assert all(seen[f'encoders.{i}'][1] == (2, 8, 40, 40) for i in range(10))
    routed = [seen[name][0][1] for name in network.cam_layers.values()]
    assert routed == [8, 8, 8, 8, 8, 24, 24, 40, 16, 16, 8, 40]
    assert len(network.cam_layers) == 12
    assert all(seen[name][1] == (2, 32, 10, 10) for name in network.cam_layers.values())
    assert head.relay.weight.shape == (6, 28)
    assert {name: logits.shape[1] for name, logits in head(tokens).items()} == CLASSES


def test_routing_goes_by_name():
    """Sequences in another order: the same encoders, elsewhere, the same tokens."""
    network = build(**SMALL).eval()
    inputs = make_batch()
    expected = network(inputs)
    order = [2, 0, 1]
    names = [SMALL['sequences'][i] for i in order]
    other = build(**{**SMALL, 'sequences': names}).eval()
    state = {
        key.replace(f'encoders.{i}.', f'encoders.{at}.'): value
        for key, value in network.state_dict().items()
        for at, i in enumerate(order)
        if key.startswith(f'encoders.{i}.') or not key.startswith('encoders.')
    }
    other.load_state_dict(state)
    torch.testing.assert_close(other(inputs[:, order]), expected)


def test_weights_find_their_target_in_any_order():
    """MMEngine sorts the keys of a configuration that it keeps in a checkpoint."""
    network = build(**SMALL, missing='token').eval()
    table = dict(sorted(SMALL['routing'].items()))
    other = build(**{**SMALL, 'routing': table}, missing='token').eval()
    assert other.targets == ('dense', 'type', 'wet') != network.targets
    other.load_state_dict(network.state_dict())
    inputs = make_batch()
    order = [network.targets.index(name) for name in other.targets]
    torch.testing.assert_close(other(inputs), network(inputs)[:, order])


def test_names_of_targets_may_be_any():
    routing = {'type': ['t2'], 'grade 0.5': ['adc'], 'keys': ['dwi']}
    network = build(**{**SMALL, 'routing': routing})
    assert list(network.cam_layers) == list(routing)
    assert len({network.get_submodule(n) for n in network.cam_layers.values()}) == 3


def test_liver_table_needs_the_liver_names():
    with pytest.raises(ValueError, match='names unknown sequences'):
        build(sequences=['t1', 't2'])


@pytest.mark.parametrize('missing', ['zero', 'token'])
@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize(
    'ablation', [{}, {'shared_encoder': True, 'common_branch': True}], ids=['crn', 'mf']
)
def test_a_missing_sequence_does_not_count(missing, training, ablation):
    network = build(**SMALL, missing=missing, drop_path=0.0, **ablation)
    network.train(training)
    # The third case has nothing at all, nobody has the third sequence.
    available = torch.tensor([[1, 0, 0], [1, 1, 0], [0, 0, 0]], dtype=torch.bool)
    first = make_batch()
    second = torch.where(available[..., None, None, None, None], first, torch.nan)
    state = {name: value.clone() for name, value in network.state_dict().items()}
    output = network(first, available)
    output.square().sum().backward()
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    assert all(torch.isfinite(g).all() for g in gradients)
    if not ablation:
        assert network.encoders[2].stem[0].weight.grad is None
    # Batch statistics of the first run must not reach the second.
    network.load_state_dict(state)
    assert torch.equal(output, network(second, available))
    assert torch.isfinite(output).all()
    assert not torch.equal(output[0], network(first)[0])


def test_targets_see_only_what_is_routed_to_them():
    network = build(**SMALL, attention=False).eval()
    first = make_batch()
    second = first.clone()
    second[:, 2] = 0
    same = (network(first) == network(second)).all((0, 2))
    assert same.tolist() == [True, False, False]


def test_a_learned_token_takes_the_place():
    network = build(**SMALL, missing='token').eval()
    available = torch.tensor([[True, True, False]])
    before = network(make_batch(1), available)
    with torch.no_grad():
        network.missing_tokens['for_dense'] += 1
    after = network(make_batch(1), available)
    # The target without a sequence changes; those who have theirs ignore it.
    assert (before == after).all((0, 2)).tolist() == [True, False, True]
    with torch.no_grad():
        network.missing_maps[2] += 1
    assert not torch.equal(network(make_batch(1), available)[:, 2], after[:, 2])


@pytest.mark.parametrize('dims', [2, 3])
def test_ablations_give_tokens_or_one_vector(dims):
    space = {'dims': dims, 'slices': 5}
    inputs = make_batch(2)
    assert build(**SMALL, **space)(inputs).shape == (2, 3, 8)
    plain = build(**SMALL, **space, attention=False)
    assert (plain.attention, plain.num_tokens, plain.out_channels) == (None, 3, 8)
    assert plain(inputs).shape == (2, 3, 8)
    middle = build(**SMALL, **space, shared_encoder=True, common_branch=True)
    assert (len(middle.encoders), len(middle.branches)) == (1, 1)
    assert middle.num_tokens is None
    assert middle(inputs).shape == (2, 8)
    assert set(middle.cam_layers.values()) == {'branches.common'}


def test_legacy_pool_ignores_the_border():
    settings = {**SMALL, 'dims': 2, 'slices': 5, 'attention': False}
    whole = build(**settings).eval()
    legacy = build(**settings, legacy_pool=True).eval()
    maps = []
    layer = legacy.get_submodule(legacy.cam_layer)
    layer.register_forward_hook(lambda *parts: maps.append(parts[2]))
    inputs = torch.rand(1, 3, 1, 5, 80, 80)
    token = legacy(inputs)[:, -1]
    assert maps[0].shape == (1, 8, 10, 10)
    torch.testing.assert_close(token, maps[0][..., :8, :8].mean((2, 3)))
    torch.testing.assert_close(whole(inputs)[:, -1], maps[0].mean((2, 3)))
