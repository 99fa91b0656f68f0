"""SignalRelayHead."""

import pytest
import torch

from mmmed.registry import MODELS
from mmmed.structures.roi_sample import ROISample

TARGETS = {'washout': 2, 'type': 3}


def build(**options):
    return MODELS.build(
        {'type': 'mmmed.SignalRelayHead', 'in_channels': 4, 'targets': TARGETS}
        | options
    )


def test_published_sizes_of_the_relay():
    # Variant 1.1 with 11 binary signs and 6 types: 11 x 66 + 198 and 28 -> 6 = 174.
    targets = {f's{k}': 2 for k in range(11)} | {'type': 6}
    head = build(in_channels=32, targets=targets)
    assert tuple(head.relay.weight.shape) == (6, 28)
    assert sum(p.numel() for p in head.relay.parameters()) == 174
    assert sum(p.numel() for p in head.fcs.parameters()) == 11 * 66 + 198
    assert {n.split('.')[0] for n, _ in head.named_parameters()} == {'fcs', 'relay'}
    assert head.main_target == 'type'
    assert head.relay_order[-6:] == [('type', k) for k in range(6)]


def test_the_type_is_made_of_activated_signs():
    head = build()
    tokens = torch.randn(2, 2, 4, generator=torch.Generator().manual_seed(0))
    own = [head.fcs[head.ranks[t]](tokens[:, k]) for k, t in enumerate(TARGETS)]
    joined = torch.cat([own[0].sigmoid(), own[1].relu()], 1)
    logits = head(tokens)
    torch.testing.assert_close(logits['washout'], own[0])
    torch.testing.assert_close(logits['type'], head.relay(joined))


def test_a_main_target_elsewhere_still_comes_last():
    head = build(main_target='washout')
    assert head.relay_order[0] == ('type', 0)
    assert head.relay_order[-1] == ('washout', 1)
    assert head(torch.zeros(1, 4))['washout'].shape == (1, 2)


def test_the_loss_of_the_type_reaches_the_signs():
    head = build()
    sample = ROISample(gt_targets={'washout': -1, 'type': 1})
    losses = head.loss(torch.ones(1, 4), [sample])
    losses['loss_type'].backward()
    assert head.fcs[head.ranks['washout']].weight.grad.abs().sum() > 0
    plain = build(with_relay=False)
    plain.loss(torch.ones(1, 4), [sample])['loss_type'].backward()
    assert plain.relay is None
    assert plain.fcs[plain.ranks['washout']].weight.grad is None


def test_a_sign_can_be_set_by_hand():
    head = build()
    with torch.no_grad():
        head.relay.weight.zero_()
        head.relay.bias.zero_()
        head.relay.weight[2, 1] = 5  # washout speaks for the last type
    logits = super(type(head), head).forward(torch.zeros(1, 4))
    absent = head.relay_signs(logits, {'washout': torch.tensor([1.0, 0.0])})
    present = head.relay_signs(logits, {'washout': torch.tensor([0.0, 1.0])})
    assert absent['type'].tolist() == [[0, 0, 0]]
    assert present['type'].tolist() == [[0, 0, 5]]


@pytest.mark.parametrize('options', [{'main_target': 'x'}, {'sign_act': 'tanh'}])
def test_impossible_options_are_refused(options):
    with pytest.raises(ValueError, match='expected one of'):
        build(**options)


def test_the_relay_does_not_depend_on_the_order_of_targets():
    targets = {'wet': 2, 'type': 3, 'dense': 4}
    tables = [build(targets=t) for t in (targets, dict(sorted(targets.items())))]
    assert tables[0].relay_order == tables[1].relay_order
    assert [name for name, _ in tables[0].relay_order] == [
        *['dense'] * 4,
        *['wet'] * 2,
        *['type'] * 3,
    ]
