"""What every complete network promises inside a recipe: train, predict, export."""

import copy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

import mmmed.models.losses
import mmmed.models.networks  # noqa: F401  (both fill the registry)
from mmmed.inference.loading import LoadedNetworks, load_networks
from mmmed.inference.networks import TorchNetwork
from mmmed.inference.onnx_export import export_onnx
from mmmed.inference.recipe import ScanRecipe
from mmmed.models.networks import fold_for_inference
from mmmed.registry import MODELS

BASES = Path(__file__).parents[2] / 'configs' / '_base_' / 'models'
SIZE = (37, 53)


def list_names(module):
    room = f'mmmed.models.{module}.'
    return sorted(
        name
        for name, part in MODELS.module_dict.items()
        if isinstance(part, type)
        and part.__module__.startswith(room)
        and not part.__module__.startswith(f'{room}classification.')
    )


# Networks of volumes and of lesions have their own tests, in models/networks.
NETWORKS = [name for name in list_names('networks') if not name.startswith('Monai')]
LOSSES = list_names('losses')
FILES = {'SpinalUNet': 'spinal_unet', 'DUCKNet': 'duck_net'}
WIDTHS = {'mmmed.SpinalUNet': 'features', 'mmmed.DUCKNet': 'init_features'}


@pytest.fixture(params=NETWORKS)
def config(request):
    """The network's base config at a width that takes milliseconds."""
    name = FILES.get(request.param, request.param.lower())
    config = Config.fromfile(BASES / f'{name}.py').model
    assert config.backbone.type == f'mmmed.{request.param}'
    set_width(config, 4)
    return config


def set_width(config, channels):
    config.backbone[WIDTHS.get(config.backbone.type, 'base_channels')] = channels


def build(config, base_channels=None, **backbone):
    config = copy.deepcopy(config)
    config.backbone.update(backbone)
    if base_channels is not None:
        set_width(config, base_channels)
    init_default_scope('mmseg')
    torch.manual_seed(0)
    return MODELS.build(config)


def settle_norms(model):
    """Statistics of some images: without them a deep network's logits are huge."""
    for part in model.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = 1.0
    with torch.no_grad():
        model.train().backbone(torch.randn(2, model.backbone.in_channels, *SIZE))
    return model


def make_batch(channels, n=2, lesion=True):
    """Dark images with a bright box; the box is the lesion."""
    inputs, samples = [], []
    for i in range(n):
        target = torch.zeros(1, *SIZE, dtype=torch.long)
        if lesion:
            target[0, 10:22, 8 + 9 * i : 24 + 9 * i] = 1
        inputs.append((target * 100 + 60).byte().expand(channels, *SIZE).contiguous())
        sample = SegDataSample(metainfo={'img_shape': SIZE, 'ori_shape': SIZE})
        sample.gt_sem_seg = PixelData(data=target)
        samples.append(sample)
    return {'inputs': inputs, 'data_samples': samples}


def compute_loss(model, batch):
    data = model.data_preprocessor(copy.deepcopy(batch), training=True)
    return model.parse_losses(model(**data, mode='loss'))


def test_there_are_those_that_have_a_base():
    expected = ['CLCINet', 'DUCKNet', 'DUNet', 'RAXNet', 'SpinalUNet', 'XNet']
    assert expected == NETWORKS


@pytest.mark.parametrize('loss', LOSSES)
@pytest.mark.parametrize('lesion', [True, False], ids=['lesion', 'empty'])
def test_a_step_of_training_with_each_loss(config, loss, lesion):
    config.decode_head.loss_decode = {'type': f'mmmed.{loss}'}
    model = build(config, base_channels=2).train()
    value, _ = compute_loss(model, make_batch(config.backbone.in_channels, 2, lesion))
    value.backward()
    gradients = [p.grad for p in model.parameters()]
    assert all(g is not None and torch.isfinite(g).all() for g in gradients)
    assert any(g.abs().max() > 0 for g in gradients)


def test_softmax_needs_only_two_channels(config):
    config.decode_head.out_channels = 2
    model = build(config, out_channels=2).train()
    batch = make_batch(config.backbone.in_channels)
    assert torch.isfinite(compute_loss(model, batch)[0])
    with torch.no_grad():
        result = model.eval().test_step(batch)
    assert result[0].seg_logits.data.shape == (2, *SIZE)


def test_loss_falls(config):
    model = build(config).train()
    batch = make_batch(config.backbone.in_channels)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    values = []
    for _ in range(8):
        loss, _ = compute_loss(model, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    assert values[-1] < 0.97 * values[0]


@pytest.mark.slow
def test_it_learns_the_lesion(config):
    model = build(config, base_channels=8).train()
    batch = make_batch(config.backbone.in_channels)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(200):
        loss, logged = compute_loss(model, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert logged['decode.dice_train'] > 0.9


def test_predictions_lie_on_the_grid_of_the_images(config):
    model = build(config).eval()
    batch = make_batch(config.backbone.in_channels)
    with torch.no_grad():
        together = model.test_step(copy.deepcopy(batch))
        alone = [
            model.test_step({key: [values[i]] for key, values in batch.items()})[0]
            for i in range(2)
        ]
        direct = model.backbone(torch.stack(batch['inputs']) / 255)
    for i, sample in enumerate(together):
        assert sample.pred_sem_seg.data.shape == (1, *SIZE)
        torch.testing.assert_close(sample.seg_logits.data, direct[i])
        torch.testing.assert_close(
            sample.seg_logits.data, alone[i].seg_logits.data, rtol=1e-4, atol=1e-5
        )


def test_whole_models_can_be_folded(config):
    model = build(config).eval()
    batch = make_batch(config.backbone.in_channels)
    with torch.no_grad():
        expected = model.test_step(copy.deepcopy(batch))
        found = fold_for_inference(model).test_step(batch)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(
            one.seg_logits.data, other.seg_logits.data, rtol=1e-4, atol=1e-4
        )


def test_autocast_trains_and_predicts(config):
    model = build(config).train()
    batch = make_batch(config.backbone.in_channels)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        value, _ = compute_loss(model, batch)
        value.backward()
        with torch.no_grad():
            (sample, _) = model.eval().test_step(batch)
    assert value.dtype == torch.float32
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())
    assert sample.seg_logits.data.dtype == torch.float32


@pytest.mark.slow
@pytest.mark.parametrize('is_folded', [False, True], ids=['plain', 'folded'])
def test_export_gives_the_same_logits(config, tmp_path, is_folded):
    pytest.importorskip('onnxruntime')
    pytest.importorskip('onnxscript')
    model = build(config)
    if config.backbone.type == 'mmmed.DUCKNet':
        model = settle_norms(model)
    model.eval()
    if is_folded:
        model = fold_for_inference(model)
    channels = config.backbone.in_channels
    neighbors = (-2, -1, 0, 1) if channels == 4 else (0,)
    recipe = ScanRecipe(
        classes=('background', 'lesion'),
        in_channels=channels,
        neighbors=neighbors,
        size=SIZE,
    )
    loaded = LoadedNetworks((TorchNetwork(model),), recipe, (('net.pth', '0'),))
    path = tmp_path / 'net.onnx'
    # Rounding of dozens of sums on top of one another: logits of order 10.
    assert export_onnx(loaded, path) < 5e-4
    images = torch.rand(3, channels, *SIZE)
    (network,) = load_networks(None, [path]).networks
    with torch.no_grad():
        torch.testing.assert_close(
            network(images), model.backbone(images), rtol=1e-4, atol=5e-4
        )
