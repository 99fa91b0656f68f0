"""Training step and prediction of volumes with networks whose answers are known."""

import copy

import pytest
import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmseg.structures import SegDataSample
from torch import nn

from mmmed.models.segmentors import VolumeSegmentor
from mmmed.registry import MODELS
from mmmed.structures.voxel_data import VoxelData


@MODELS.register_module(name='VolumeTestEcho', force=True)
class Echo(nn.Module):
    """Logits (-x, x); of windows as of the whole."""

    def forward(self, x):
        return torch.cat([-x, x], dim=1)


@MODELS.register_module(name='VolumeTestConv', force=True)
class Conv(nn.Module):
    def __init__(self, depths=1):
        super().__init__()
        self.conv = nn.Conv3d(1, 3, 3, padding=1)
        self.depths = depths

    def forward(self, x):
        logits = self.conv(x)
        if not self.training or self.depths == 1:
            return logits
        return [logits, nn.functional.avg_pool3d(logits, 2)]

    def checkpoint_activations(self):
        self.is_thrifty = True


def build(network='mmmed.VolumeTestEcho', classes=2, test_cfg=None, **options):
    torch.manual_seed(0)
    return VolumeSegmentor(
        {'type': network, **options.pop('network_options', {})},
        {'type': 'mmmed.VolumeHead', 'num_classes': classes, 'out_channels': classes},
        test_cfg=test_cfg or {'crop_size': (4, 6, 8)},
        **options,
    ).eval()


def make_batch(shape=(2, 1, 8, 10, 12)):
    inputs = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    samples = []
    for img in inputs:
        sample = SegDataSample(metainfo={'case_id': 'a'})
        sample.gt_sem_seg = VoxelData(data=(3 * img).long().clamp(0, 2))
        samples.append(sample)
    return {'inputs': list(inputs), 'data_samples': samples}


@pytest.mark.parametrize('weight', ['gaussian', 'constant'])
def test_windows_of_a_local_network_are_the_whole(weight):
    inputs = torch.randn(1, 1, 9, 14, 11)
    windows = build(test_cfg={'crop_size': (4, 6, 8), 'window_weight': weight})
    whole = build(test_cfg={'mode': 'whole'})
    torch.testing.assert_close(
        windows.infer(inputs), whole.infer(inputs), atol=1e-6, rtol=1e-5
    )
    labels = windows.predict(inputs)[0].pred_sem_seg.data
    assert torch.equal(labels, (inputs[0] > 0).to(torch.uint8))
    assert labels.shape == (1, 9, 14, 11)


def test_volumes_smaller_than_a_window_are_padded_and_cut():
    inputs = torch.randn(1, 1, 3, 4, 20)
    labels = build().predict(inputs)[0].pred_sem_seg.data
    assert torch.equal(labels, (inputs[0] > 0).to(torch.uint8))


def test_padding_of_the_batch_and_resampling_are_undone():
    inputs = torch.full((1, 1, 6, 8, 10), -1.0)
    inputs[:, :, :4, :6, :6] = 1.0
    # Voxels of the volume lie at half, and at twice the distance of those fed.
    meta = {
        'img_shape': (4, 6, 6),
        'ori_shape': (8, 6, 3),
        'img_grid': ((2.0, 0.5), (1.0, 0.0), (0.5, -0.25)),
    }
    sample = SegDataSample(metainfo=meta)
    labels = build().predict(inputs, [sample])[0].pred_sem_seg.data
    assert labels.shape == (1, 8, 6, 3)
    assert labels.all()


def test_probabilities_of_a_ramp_return_where_they_were():
    model = build(test_cfg={'mode': 'whole', 'keep_probabilities': True})
    ramp = torch.arange(6.0).view(1, 1, 6, 1, 1).expand(1, 1, 6, 2, 2) / 6
    meta = {'ori_shape': (3, 2, 2), 'img_grid': ((0.5, -0.25), (1, 0), (1, 0))}
    sample = SegDataSample(metainfo=meta)
    prob = model.predict(ramp.contiguous(), [sample])[0].seg_probs.data[1, :, 0, 0]
    all_prob = torch.sigmoid(2 * torch.arange(6.0) / 6)
    # Stored voxel k lies at 2 k + 0.5 of those fed.
    expected = [(all_prob[2 * k] + all_prob[2 * k + 1]) / 2 for k in range(3)]
    torch.testing.assert_close(prob, torch.stack(expected))


def test_mirrored_views_are_averaged():
    torch.manual_seed(0)
    plain = build('mmmed.VolumeTestConv', 3)
    flips = {'crop_size': (4, 6, 8), 'flips': ((-1,), (-3, -2))}
    views = build('mmmed.VolumeTestConv', 3, test_cfg=flips)
    views.load_state_dict(plain.state_dict())
    inputs = torch.randn(1, 1, 4, 6, 8)
    expected = sum(
        plain.infer(inputs.flip(axes) if axes else inputs).flip(axes or ())
        for axes in ((), (-1,), (-3, -2))
    )
    torch.testing.assert_close(views.infer(inputs), expected / 3)
    assert len(build(test_cfg={**flips, 'flips': 'all'}).test_cfg.flips) == 7


def test_probabilities_are_kept_when_asked_for():
    model = build(test_cfg={'crop_size': (4, 6, 8), 'keep_probabilities': True})
    sample = model.predict(torch.randn(1, 1, 4, 6, 8))[0]
    assert sample.seg_probs.data.shape == (2, 4, 6, 8)
    assert 'seg_probs' not in build().predict(torch.randn(1, 1, 4, 6, 8))[0]


def test_train_step_lowers_the_loss_and_test_step_predicts():
    model = build('mmmed.VolumeTestConv', 3)
    wrapper = OptimWrapper(torch.optim.Adam(model.parameters(), lr=0.05))
    model.train()
    losses = [
        float(model.train_step(make_batch(), wrapper)['loss'].detach())
        for _ in range(15)
    ]
    assert losses[-1] < losses[0] - 0.15
    model.eval()
    results = model.test_step(make_batch())
    assert [sample.pred_sem_seg.shape for sample in results] == [(8, 10, 12)] * 2


def train_in_half(dtype, device):
    model = build('mmmed.VolumeTestConv', 3).to(device).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    if device == 'cuda':
        wrapper = AmpOptimWrapper(dtype=dtype, optimizer=optimizer)
    else:  # the host's wrapper wants a device
        wrapper = OptimWrapper(optimizer)
    losses = []
    for _ in range(15):
        # Anew for each step: autocast keeps its copies of weights while it is open.
        with torch.autocast(device, getattr(torch, dtype)):
            loss = model.train_step(make_batch(), wrapper)['loss']
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] - 0.15
    assert model.network.conv.weight.dtype == torch.float32


def test_train_step_in_bfloat16():
    train_in_half('bfloat16', 'cpu')


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')
@pytest.mark.parametrize('dtype', ['bfloat16', 'float16'])
def test_train_step_in_half_precision_on_a_device(dtype):
    train_in_half(dtype, 'cuda')


def test_deep_supervision_trains_every_depth():
    options = {'network_options': {'depths': 2}}
    model = build('mmmed.VolumeTestConv', 3, **options).train()
    batch = model.data_preprocessor(make_batch(), True)
    losses = model(**batch, mode='loss')
    assert set(losses) == {'loss_dice_ce', 'dice_train'}
    model.eval()
    assert model(batch['inputs'], mode='tensor').shape == (2, 3, 8, 10, 12)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_trains_in_full_precision_losses(dtype):
    model = build('mmmed.VolumeTestConv', 3).train()
    batch = model.data_preprocessor(make_batch(), True)
    exact = model(**copy.deepcopy(batch), mode='loss')['loss_dice_ce']
    with torch.autocast('cpu', dtype=dtype):
        loss = model(**batch, mode='loss')['loss_dice_ce']
    assert loss.dtype == torch.float32
    loss.backward()
    assert loss.item() == pytest.approx(exact.item(), rel=0.02)
    assert torch.isfinite(model.network.conv.weight.grad).all()


def test_channels_last_changes_no_number():
    plain, last = (
        build('mmmed.VolumeTestConv', 3, channels_last=is_last)
        for is_last in (False, True)
    )
    last.load_state_dict(plain.state_dict())
    weight = last.network.conv.weight
    assert weight.is_contiguous(memory_format=torch.channels_last_3d)
    inputs = torch.randn(1, 1, 4, 6, 8)
    torch.testing.assert_close(last.infer(inputs), plain.infer(inputs))


def test_options_reach_the_network():
    assert build(
        'mmmed.VolumeTestConv', 3, activation_checkpointing=True
    ).network.is_thrifty
    with pytest.raises(ValueError, match='no checkpoint_activations'):
        build(activation_checkpointing=True)
    model = build('mmmed.VolumeTestConv', 3, compile={'backend': 'eager'})
    assert 'network.conv.weight' in model.state_dict()
    assert model(torch.randn(1, 1, 4, 6, 8)).shape == (1, 3, 4, 6, 8)


@pytest.mark.parametrize(
    'test_cfg',
    [
        {'crop_size': None},
        {'crop_size': (4, 6)},
        {'crop_size': (4, 6, 8), 'stride': (5, 6, 8)},
        {'crop_size': (4, 6, 8), 'flips': ((0,),)},
        {'crop_size': (4, 6, 8), 'size_divisor': 2},
        {'mode': 'slices'},
    ],
)
def test_impossible_test_cfg_is_refused(test_cfg):
    with pytest.raises(ValueError, match='test_cfg'):
        build(test_cfg=test_cfg)
