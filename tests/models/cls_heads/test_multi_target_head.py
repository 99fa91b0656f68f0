"""MultiTargetHead."""

import math

import pytest
import torch

from mmmed.registry import MODELS
from mmmed.structures.roi_sample import ROISample

TARGETS = {'type': 3, 'mvi': 2}


def build(**options):
    head = MODELS.build(
        {'type': 'mmmed.MultiTargetHead', 'in_channels': 4, 'targets': TARGETS}
        | options
    )
    for fc in head.fcs:
        torch.nn.init.zeros_(fc.weight)
        torch.nn.init.zeros_(fc.bias)
    with torch.no_grad():  # softmax (0.5, 0.25, 0.25); (0.2, 0.8)
        head.fcs[head.ranks['type']].bias.copy_(torch.tensor([2.0, 1, 1]).log())
        head.fcs[head.ranks['mvi']].bias.copy_(torch.tensor([1.0, 4]).log())
    return head


def make_samples(*labels):
    return [
        ROISample(gt_targets=dict(zip(TARGETS, pair, strict=True))) for pair in labels
    ]


def test_losses_and_accuracies_by_hand():
    samples = make_samples((0, 1), (2, -1))
    losses = build().loss(torch.zeros(2, 4), samples)
    assert losses['loss_type'].item() == pytest.approx(math.log(2 * 4) / 2)
    assert losses['loss_mvi'].item() == pytest.approx(math.log(1.25))
    assert losses['acc_type'] == 0.5
    assert losses['acc_mvi'] == 1


def test_class_weights_are_given_or_counted():
    samples = make_samples((0, 0), (2, 1))
    expected = (1 * math.log(2) + 3 * math.log(4)) / 4
    given = build(class_weight={'type': [1, 1, 3]})
    counted = build(class_weight={'type': 'inverse'})
    with pytest.raises(ValueError, match='ClassBalanceHook'):
        counted.loss(torch.zeros(2, 4), samples)
    counted.set_class_counts({'type': [3, 0, 1]})  # 4/3, 0, 4: the ratio is 1 to 3
    for head in (given, counted):
        losses = head.loss(torch.zeros(2, 4), samples)
        assert losses['loss_type'].item() == pytest.approx(expected)
        assert losses['loss_mvi'].item() == pytest.approx(math.log(5 * 1.25) / 2)
    assert not [name for name in counted.state_dict() if 'class' in name]


@pytest.mark.parametrize('weighting', ['fixed', 'uncertainty'])
def test_a_batch_without_labels_keeps_graph_and_device(weighting):
    head = build(weighting=weighting, class_weight='balanced')
    head.set_class_counts({'type': [1, 1, 1], 'mvi': [1, 1]})
    features = torch.randn(2, 4, requires_grad=True)
    losses = head.loss(features, make_samples((-1, -1), (-1, -1)))
    assert set(losses) == {'loss_type', 'loss_mvi'}
    total = sum(losses.values())
    assert total == 0
    assert total.device == features.device
    total.backward()
    assert not features.grad.any()
    assert all(p.grad is not None and not p.grad.any() for p in head.parameters())


def test_uncertainty_divides_by_a_learnt_variance():
    head = build(weighting='uncertainty')
    with torch.no_grad():
        head.log_variance[head.ranks['type']] = math.log(2)
    losses = head.loss(torch.zeros(1, 4), make_samples((0, 1)))
    expected = math.log(2) / 2 + math.log(2) / 2
    assert losses['loss_type'].item() == pytest.approx(expected)
    assert losses['loss_mvi'].item() == pytest.approx(math.log(1.25))


def test_targets_have_their_own_losses_and_factors():
    head = build(
        loss={'type': {'type': 'mmmed.TargetOrdinalLoss'}}, target_weight={'mvi': 0.2}
    )
    losses = head.loss(torch.zeros(1, 4), make_samples((0, 0)))
    assert losses['loss_type'].item() == pytest.approx(-math.log(0.5 * 0.75) / 2)
    assert losses['loss_mvi'].item() == pytest.approx(0.2 * math.log(5))


def test_each_target_may_have_its_own_token():
    head = build()
    with torch.no_grad():
        head.fcs[head.ranks['mvi']].weight[1] = 1
    tokens = torch.zeros(1, 2, 4)
    tokens[:, 1] = 1
    assert head(tokens)['mvi'][0, 1].item() == pytest.approx(math.log(4) + 4)
    assert head(tokens)['type'].shape == (1, 3)


def test_predictions_are_probabilities():
    (sample,) = build().predict(torch.zeros(1, 4), [ROISample()])
    assert sample.pred_scores['type'].tolist() == pytest.approx([0.5, 0.25, 0.25])
    assert sample.pred_logits['mvi'].softmax(0)[1].item() == pytest.approx(0.8)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'targets': {}}, 'at least one name'),
        ({'targets': {'a': 1}}, '>= 2 classes'),
        ({'targets': {'blood_loss': 2}}, 'rename'),
        ({'class_weight': {'type': [1, 2]}}, 'expected 3 numbers'),
        ({'class_weight': 'sqrt'}, 'expected'),
        ({'target_weight': {'x': 1}}, 'target_weight'),
        ({'weighting': 'random'}, 'weighting'),
        ({'loss': {'type': 'mmmed.TargetFocalLoss', 'gamma': -1}}, 'gamma'),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_labels_and_features_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="label 3 of 'type', which has 3"):
        build().loss(torch.zeros(1, 4), make_samples((3, 0)))
    with pytest.raises(ValueError, match='set in_channels'):
        build()(torch.zeros(1, 5))


def test_weights_find_their_target_in_any_order():
    """MMEngine sorts the keys of a configuration that it keeps in a checkpoint."""
    head = build(weighting='uncertainty')
    tokens = torch.rand(2, 2, 4, generator=torch.Generator().manual_seed(0))
    torch.nn.init.normal_(head.fcs[0].weight)
    other = build(weighting='uncertainty', targets=dict(sorted(TARGETS.items())))
    assert list(other.targets) != list(head.targets)
    other.load_state_dict(head.state_dict())
    expected = head(tokens)
    for name, logits in other(tokens.flip(1)).items():
        assert torch.equal(logits, expected[name])


def test_batch_norm_is_one_of_each_target_and_comes_first():
    head = build(batch_norm=True, targets={'mvi': 2, 'type': 3})
    plain = build(targets={'mvi': 2, 'type': 3})
    assert count(head) - count(plain) == 2 * 2 * 4
    features = torch.tensor([[1.0, 0, 0, 0], [3.0, 0, 0, 0]])
    with torch.no_grad():
        head.fcs[head.ranks['mvi']].weight[1, 0] = 1
        head.norms[head.ranks['mvi']].weight.mul_(2)
        bias = head.fcs[head.ranks['mvi']].bias
        logits = head(features)  # 1 and 3 become -1 and 1, times 2
        torch.testing.assert_close(
            logits['mvi'][:, 1] - bias[1], torch.tensor([-2.0, 2.0]), atol=1e-4, rtol=0
        )
        alone = head(features[:1])['mvi'][0, 1] - bias[1]
        head.eval()
        single = head(features[:1])['mvi'][0, 1] - bias[1]
    assert alone == single
    # Running mean 0.1 * 2, running variance 0.9 + 0.1 * 2.
    assert single.item() == pytest.approx(2 * (1 - 0.2) / math.sqrt(1.1), rel=1e-4)
    assert not any('norm' in name for name in plain.state_dict())


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())
