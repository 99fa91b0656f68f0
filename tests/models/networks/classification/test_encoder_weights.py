"""Weights of a foundation training in another network."""

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.runner.checkpoint import _load_checkpoint_to_model

import mmmed.compat  # noqa: F401  (timm imports torchvision)
from mmmed.models.networks.classification.encoder_weights import load_encoder_weights
from mmmed.registry import MODELS

ENCODER = {'type': 'mmmed.TimmSliceEncoder', 'model': 'mobilenetv4_conv_small_050'}


@pytest.fixture(scope='module')
def foundation():
    pytest.importorskip('timm')
    torch.manual_seed(0)
    return build({'finding': 5})


def build(targets, **options):
    network = {
        'type': 'mmmed.EarlyFusionEncoder',
        'sequences': 1,
        'append_available': False,
        'backbone': {**ENCODER, 'pool': 'mean', **options},
    }
    head = {'type': 'mmmed.MultiTargetHead', 'targets': targets, 'batch_norm': True}
    return MODELS.build(
        {'type': 'mmmed.VolumeClassifier', 'network': network, 'head': head}
    )


def test_encoder_is_taken_and_head_is_not(foundation, tmp_path):
    path = tmp_path / 'foundation.pth'
    torch.save({'state_dict': foundation.state_dict(), 'meta': {}}, path)
    torch.manual_seed(1)
    # As many classes as before: the names of weights alone would let the head through.
    model = build({'cord': 5}, pretrained=str(path))
    first = model.head.fcs[0].weight.clone()
    model.init_weights()
    own = model.network.backbone.net.state_dict()
    for name, value in foundation.network.backbone.net.state_dict().items():
        assert torch.equal(own[name], value)
    assert torch.equal(model.head.fcs[0].weight, first)
    dropped = load_encoder_weights(model.network.backbone.net, path)
    assert [n for n in dropped if 'fcs' in n] == [
        'head.fcs.0.weight', 'head.fcs.0.bias'
    ]  # fmt: skip
    assert all(name.startswith('head.') for name in dropped)


def test_load_from_of_other_classes_keeps_the_encoder(foundation):
    model = build({'cord': 2})
    first = model.head.fcs[0].weight.clone()
    state = {k: v.clone() for k, v in foundation.state_dict().items()}
    _load_checkpoint_to_model(model, {'state_dict': state}, strict=False)
    assert torch.equal(model.head.fcs[0].weight, first)
    assert torch.equal(
        model.network.backbone.net.conv_stem.weight,
        foundation.network.backbone.net.conv_stem.weight,
    )


def test_colours_are_added_and_other_networks_refused(foundation, tmp_path):
    colour = MODELS.build({**ENCODER, 'in_channels': 3, 'pool': 'mean'}).net
    # As timm writes it: the network's own names, with a head.
    state = {**colour.state_dict(), 'classifier.weight': torch.zeros(7, 1280)}
    torch.save(state, tmp_path / 'timm.pth')
    grey = build({'cord': 2}).network.backbone.net
    assert load_encoder_weights(grey, tmp_path / 'timm.pth') == ['classifier.weight']
    expected = colour.conv_stem.weight.sum(1, keepdim=True)
    torch.testing.assert_close(grey.conv_stem.weight, expected)

    other = MODELS.build({'type': 'mmmed.TimmSliceEncoder', 'model': 'resnet10t'}).net
    with pytest.raises(ValueError, match=r'timm\.pth is no checkpoint of ResNet'):
        load_encoder_weights(other, tmp_path / 'timm.pth')
    with pytest.raises(FileNotFoundError):
        load_encoder_weights(grey, tmp_path / 'none.pth')


def test_logger_of_a_run_names_the_head(foundation, tmp_path):
    path = tmp_path / 'foundation.pth'
    torch.save(foundation.state_dict(), path)
    MMLogger.get_instance('transfer', log_file=str(tmp_path / 'run.log'))
    load_encoder_weights(build({'cord': 2}).network.backbone.net, path)
    assert 'left out: head.fcs.0.weight' in (tmp_path / 'run.log').read_text()
