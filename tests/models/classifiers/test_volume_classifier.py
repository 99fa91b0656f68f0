"""VolumeClassifier and ROIDataPreprocessor with a tiny network."""

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from torch import nn

from mmmed.registry import MODELS
from mmmed.structures.roi_sample import ROISample


class _Network(nn.Module):
    """Mean of the sequences that are there, one number a channel."""

    out_channels = 4

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(1, 4)

    def forward(self, inputs, available):
        means = inputs.mean(dim=(3, 4, 5))  # (N, S, C)
        weight = available[..., None].to(means)
        mean = (means * weight).sum(1) / weight.sum(1).clamp(min=1)
        return self.fc(mean)


MODELS.register_module(name='_TinyRoiNetwork', module=_Network, force=True)


def build():
    head = {'type': 'mmmed.MultiTargetHead', 'targets': {'type': 3, 'mvi': 2}}
    network = {'type': 'mmmed._TinyRoiNetwork'}
    torch.manual_seed(0)
    return MODELS.build(
        {'type': 'mmmed.VolumeClassifier', 'network': network, 'head': head}
    )


def make_batch(labels, size=(2, 3, 4)):
    inputs = [torch.full((2, 1, *size), float(k)) for k, _ in enumerate(labels)]
    samples = [
        ROISample(available=torch.tensor([True, k == 0]), gt_targets={'type': label})
        for k, label in enumerate(labels)
    ]
    return {'inputs': inputs, 'data_samples': samples}


def test_a_step_of_training_lowers_the_loss():
    model = build()
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.5))
    values = [
        model.train_step(make_batch([2, 0, 0]), optimizer)['loss_type']
        for _ in range(20)
    ]
    assert values[-1] < 0.5 * values[0]


def test_a_region_with_nothing_is_predicted_all_the_same():
    batch = make_batch([-1, -1])
    batch['data_samples'][1].available = torch.tensor([False, False])
    first, second = build().eval().test_step(batch)
    assert first.pred_scores['type'].sum().item() == pytest.approx(1)
    assert torch.isfinite(second.pred_logits['mvi']).all()
    assert first.gt_targets == {'type': -1}


def test_availability_reaches_the_network():
    model = build().eval()
    batch = make_batch([0, 0])
    batch['inputs'][1][1] = 1e6  # the sequence that is not there
    same = make_batch([0, 0])
    torch.testing.assert_close(
        model.test_step(batch)[1].pred_logits, model.test_step(same)[1].pred_logits
    )
    logits = model(torch.ones(1, 2, 1, 2, 3, 4))
    assert {k: tuple(v.shape) for k, v in logits.items()} == {
        'type': (1, 3), 'mvi': (1, 2)
    }  # fmt: skip
    assert len(model.predict(torch.ones(1, 2, 1, 2, 3, 4))) == 1


def test_integers_become_floats_and_sizes_must_agree():
    data = {'inputs': [torch.ones(1, 1, 1, 2, 2, dtype=torch.int16)] * 2}
    batch = build().data_preprocessor(data)
    assert batch['inputs'].dtype == torch.float32
    assert batch['available'].tolist() == [[True], [True]]
    data['inputs'][1] = torch.ones(1, 1, 1, 2, 3)
    with pytest.raises(ValueError, match='fixed size'):
        build().data_preprocessor(data)
    with pytest.raises(ValueError, match="'loss', 'predict' or 'tensor'"):
        build()(torch.ones(1, 1, 1, 1, 1, 1), mode='x')


ROUTED = {
    'type': 'mmmed.VolumeClassifier',
    'network': {
        'type': 'mmmed.CorrelationRoutingNetwork',
        'sequences': ['t2', 'adc'],
        'routing': {'wet': ['t2'], 'type': ['t2', 'adc'], 'dense': ['adc']},
        'variant': '0.1',
    },
    'head': {
        'type': 'mmmed.SignalRelayHead',
        'targets': {'wet': 2, 'type': 3, 'dense': 2},
    },
}


def test_a_kept_configuration_predicts_the_same():
    """MMEngine writes it into checkpoints with its keys sorted."""
    torch.manual_seed(0)
    model = MODELS.build(ROUTED).eval()
    kept = Config.fromstring(Config({'model': ROUTED}).pretty_text, '.py').model
    assert list(kept.head.targets) == ['dense', 'type', 'wet']
    other = MODELS.build(kept).eval()
    other.load_state_dict(model.state_dict())
    inputs = torch.rand(2, 2, 1, 3, 12, 14)
    available = torch.tensor([[True, True], [True, False]])
    expected = model(inputs, available)
    for name, logits in other(inputs, available).items():
        torch.testing.assert_close(logits, expected[name])


def test_tokens_and_heads_must_agree():
    head = ROUTED['head'] | {'targets': {'type': 3, 'wet': 2, 'dense': 2}}
    with pytest.raises(ValueError, match=r"tokens of the targets \['wet', 'type'"):
        MODELS.build(ROUTED | {'head': head})
