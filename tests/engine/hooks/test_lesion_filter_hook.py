from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MessageHub
from mmseg.structures import SegDataSample

from mmmed.engine.hooks.lesion_filter_hook import LesionFilterHook, load_segmentor
from mmmed.registry import MODELS
from mmmed.structures.voxel_data import VoxelData

CONFIG = """
model = dict(
    type='mmmed.VolumeSegmentor',
    network=dict(type='mmmed.MonaiUNet', in_channels=1, out_channels=3,
                 channels=(4, 4), strides=(2,), num_res_units=1),
    decode_head=dict(type='mmmed.VolumeHead', num_classes=3, out_channels=3,
                     ignore_index=255,
                     loss_decode=dict(type='mmmed.DiceCELoss', batch_dice=True)),
    test_cfg=dict(crop_size=(8, 8, 8), window_batch=2))
"""


class Bright:
    """Stands for a trained network: bright voxels are lesions, for sure."""

    def __init__(self):
        self.shapes = []

    def infer(self, inputs):
        self.shapes.append(tuple(inputs.shape))
        found = (inputs > 0.5).float()
        return torch.cat([1 - found, torch.zeros_like(found), found], 1)


@pytest.fixture
def files(tmp_path):
    config, checkpoint = tmp_path / 'net.py', tmp_path / 'net.pth'
    config.write_text(CONFIG)
    model = build(config)
    torch.save({'state_dict': model.state_dict(), 'meta': {}}, checkpoint)
    return config, checkpoint


def build(config):
    from mmengine.config import Config

    return MODELS.build(Config.fromfile(config).model)


def make_batch():
    """Four samples with two lesions each, of which the network sees the first."""
    inputs, samples = [], []
    for number in range(4):
        seg = torch.ones(8, 8, 8, dtype=torch.uint8)
        seg[1:3, 1:3, 1:3] = seg[5:7, 5:7, 5:7] = 2
        image = torch.zeros(1, 8, 8, 8)
        image[0, 1:3, 1:3, 1:3] = 1
        # Not drawn, drawn, drawn beside real tumor, real tumor alone.
        meta = [
            {}, {'lesions': [{}, {}], 'mixes_real': False},
            {'lesions': [{}], 'mixes_real': True}, {'lesions': [], 'mixes_real': True},
        ][number]  # fmt: skip
        sample = SegDataSample(metainfo=meta)
        sample.gt_sem_seg = VoxelData(data=seg[None])
        inputs.append(image)
        samples.append(sample)
    return {'inputs': inputs, 'data_samples': samples}


def count(batch):
    segs = [sample.gt_sem_seg.data for sample in batch['data_samples']]
    return [(int((seg == 2).sum()), int((seg == 255).sum())) for seg in segs]


def test_only_synthetic_lesions_are_asked_for_and_only_in_training(files):
    hook = LesionFilterHook(*files)
    model = build(files[0])
    runner = SimpleNamespace(
        model=model, message_hub=MessageHub.get_instance('lesion_filter')
    )
    names = set(model.state_dict())
    hook.before_train(runner)
    # Beside the model: its checkpoint and optimizer know nothing of the filter.
    assert set(model.state_dict()) == names
    hook._model = network = Bright()
    batch = model.data_preprocessor(make_batch(), True)
    assert count(batch) == [(16, 0), (8, 8), (16, 0), (16, 0)]
    assert network.shapes == [(1, 1, 8, 8, 8)]
    kept = runner.message_hub.get_scalar('train/lesions_kept').current()
    assert kept == 0.5
    # As data parallel training calls it.
    batch = model.data_preprocessor(make_batch(), training=True)
    assert count(batch)[1] == (8, 8)
    batch = model.data_preprocessor(make_batch(), False)
    assert count(batch) == [(16, 0)] * 4
    hook.after_train(runner)
    batch = model.data_preprocessor(make_batch(), True)
    assert count(batch) == [(16, 0)] * 4


def test_the_loss_stays_finite_when_whole_samples_are_ignored(files):
    hook = LesionFilterHook(*files, scope='sample')
    model = build(files[0])
    runner = SimpleNamespace(model=model, message_hub=MessageHub.get_instance('all'))
    hook.before_train(runner)
    batch = make_batch()
    for sample, image in zip(batch['data_samples'], batch['inputs'], strict=True):
        sample.set_metainfo({'lesions': [{}], 'mixes_real': False})
        image.zero_()
    hook._model = Bright()
    batch = model.data_preprocessor(batch, True)
    assert count(batch) == [(0, 512)] * 4
    losses = model(**batch, mode='loss')
    total = sum(value for name, value in losses.items() if 'loss' in name)
    total.backward()
    assert torch.isfinite(total)
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


def test_the_segmentor_is_frozen_and_checked(files, tmp_path):
    config, checkpoint = files
    model = load_segmentor(str(config), str(checkpoint))
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())
    expected = torch.load(checkpoint, weights_only=True)['state_dict']
    assert all(torch.equal(model.state_dict()[k], v) for k, v in expected.items())
    config.write_text(CONFIG.replace('(4, 4)', '(4, 6)'))
    with pytest.raises(ValueError, match='not the weights of'):
        load_segmentor(str(config), str(checkpoint))
    with pytest.raises(FileNotFoundError, match='no config'):
        load_segmentor(str(tmp_path / 'none.py'), str(checkpoint))
    with pytest.raises(ValueError, match='least_share'):
        LesionFilterHook('a', 'b', least_share=1.5)
