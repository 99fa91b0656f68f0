import pytest
import torch
from torch import nn

from mmmed.models.networks import RAXNet, fold_for_inference
from mmmed.models.networks.folding import FoldedRAXOutput
from mmmed.registry import MODELS

VARIANTS = {
    'default': {},
    'two images, three classes': {'in_channels': 2, 'out_channels': 3},
    'gate': {'rau_gate': 'sigmoid'},
    'ablation': {'num_units': (1, 1, 1), 'use_shortcut': False, 'use_rau': False},
}


def test_algebra_is_exact(name, build, make_images, stir):
    network = stir(build(name, base_channels=8)).double().eval()
    images = make_images(name, 37, 50).double()
    with torch.no_grad():
        found = fold_for_inference(network)(images)
        torch.testing.assert_close(found, network(images), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize('settings', VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize('channels_last', [False, True])
def test_variants_of_raxnet(settings, channels_last, stir):
    torch.manual_seed(0)
    network = stir(RAXNet(base_channels=8, **settings)).eval()
    images = torch.rand(2, network.in_channels, 48, 37)
    folded = fold_for_inference(network, channels_last=channels_last)
    assert isinstance(folded.folded_output, FoldedRAXOutput) != (
        settings.get('rau_gate') == 'sigmoid'
    )
    with torch.no_grad():
        torch.testing.assert_close(
            folded(images), network(images), rtol=1e-4, atol=1e-5
        )


def test_full_width_agrees_to_a_ten_thousandth(stir):
    torch.manual_seed(0)
    network = stir(RAXNet()).eval()
    images = torch.rand(1, 1, 208, 240)
    with torch.no_grad():
        expected, found = network(images), fold_for_inference(network)(images)
    assert expected.abs().max() < 50
    assert (found - expected).abs().max() < 1e-4


def is_spatial(weight):
    return weight.ndim == 4 and weight.shape[2] > 1 and weight.shape[1] > 1


def test_no_pair_is_left_and_the_original_is_not_touched(name, build):
    network = build(name).train()
    before = [p.clone() for p in network.parameters()]
    folded = fold_for_inference(network)
    assert (folded.training, network.training) == (False, True)
    assert not any(p.is_contiguous() for p in folded.parameters() if is_spatial(p))
    assert all(p.is_contiguous() for p in network.parameters())
    assert not [m for m in folded.modules() if isinstance(m, nn.BatchNorm2d)]
    assert all(
        torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True)
    )


def test_other_models_come_back_as_they_were():
    # The order of these two is not what it seems; nothing is guessed.
    model = nn.Sequential(nn.BatchNorm2d(1), nn.Conv2d(1, 1, 1)).eval()
    x = torch.rand(1, 1, 3, 4)
    torch.testing.assert_close(fold_for_inference(model)(x), model(x), rtol=0, atol=0)


def test_rooms_that_may_not_import_models_find_it_by_name(build):
    network = build('RAXNet')
    folded = MODELS.build({'type': 'mmmed.fold_for_inference', 'model': network})
    assert isinstance(folded.folded_output, FoldedRAXOutput)
