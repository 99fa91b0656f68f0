"""The base config configs/_base_/models/unet2d.py."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData

from mmmed.datasets.transforms import LoadSlice, PackMedInputs
from mmmed.io.png import read_image, write_image
from mmmed.registry import MODELS

CONFIG = Path(__file__).parents[2] / 'configs' / '_base_' / 'models' / 'unet2d.py'


def make_batch(shape, make_sample, n=2):
    """Dark images with a bright disc; the disc is the lesion."""
    y, x = torch.meshgrid(*(torch.arange(size) for size in shape), indexing='ij')
    inputs, samples = [], []
    for i in range(n):
        disc = (y - shape[0] // 3) ** 2 + (x - 9 - 6 * i) ** 2 <= 25
        inputs.append((disc * 90 + 80).to(torch.uint8)[None])
        samples.append(make_sample(shape))
        samples[-1].gt_sem_seg = PixelData(data=disc.long()[None])
    return {'inputs': inputs, 'data_samples': samples}


def test_it_has_the_size_it_says():
    init_default_scope('mmseg')
    model = MODELS.build(Config.fromfile(CONFIG).model)
    assert sum(p.numel() for p in model.parameters()) == 7_249_985
    assert '7.25 M' in CONFIG.read_text(encoding='utf-8')
    assert len(CONFIG.read_text(encoding='utf-8').splitlines()) <= 90


@pytest.mark.parametrize('shape', [(512, 512), (650, 650), (333, 509)])
def test_real_sizes_are_predicted_on_their_own_grid(build_unet, make_sample, shape):
    batch = make_batch(shape, make_sample, n=1)
    with torch.no_grad():
        (sample,) = build_unet().test_step(batch)
    assert sample.pred_sem_seg.data.shape == (1, *shape)
    assert set(sample.pred_sem_seg.data.unique().tolist()) <= {0, 1}


@pytest.mark.data
def test_real_slices_are_predicted_on_their_own_grid(build_unet, sample_data, tmp_path):
    paths = sorted((sample_data / 'head_ct_ich').glob('Patients_CT/*/brain/*.jpg'))
    load, pack = LoadSlice(size=(512, 512), resize_seg=False), PackMedInputs()
    for path in (paths[0], paths[-1]):
        grey = np.atleast_3d(read_image(path))[..., 0]  # some are stored as RGB
        write_image(tmp_path / 'slice.png', grey)
        results = {'img_path': str(tmp_path / 'slice.png'), 'seg_fields': []}
        batch = {key: [value] for key, value in pack(load(results)).items()}
        with torch.no_grad():
            (sample,) = build_unet().test_step(batch)
        assert sample.pred_sem_seg.data.shape == (1, *grey.shape) == (1, 650, 650)


def test_pixels_reach_the_network_between_zero_and_one(build_unet, make_sample):
    batch = make_batch((50, 33), make_sample)
    data = build_unet().data_preprocessor(batch, training=True)
    assert data['inputs'].shape == (2, 1, 64, 48)
    torch.testing.assert_close(data['inputs'].max(), torch.tensor(170 / 255))
    assert (data['inputs'][:, :, 50:] == 0).all()
    assert (data['data_samples'][0].gt_sem_seg.data[:, 50:] == 255).all()


def test_two_windows_need_only_more_input_channels(unet_config, make_sample):
    config = unet_config.copy()
    config.backbone = {**unet_config.backbone, 'in_channels': 2}
    init_default_scope('mmseg')
    model = MODELS.build(config).eval()
    inputs = [torch.randint(0, 256, (2, 40, 33), dtype=torch.uint8)]
    with torch.no_grad():
        (sample,) = model.test_step(
            {'inputs': inputs, 'data_samples': [make_sample((40, 33))]}
        )
    assert sample.pred_sem_seg.data.shape == (1, 40, 33)


def test_prediction_does_not_depend_on_the_batch(build_unet, make_sample):
    model = build_unet().train()  # batch normalisation would show its statistics
    images = torch.rand(3, 1, 32, 48)
    with torch.no_grad():
        together = model(images)
        alone = torch.cat([model(image[None]) for image in images])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_first_guess_is_one_percent_lesion(build_unet):
    with torch.no_grad():
        prob = build_unet()(torch.zeros(1, 1, 32, 32)).sigmoid()
    torch.testing.assert_close(prob, torch.full_like(prob, 0.01), rtol=1e-3, atol=0)


def test_it_learns_the_lesion_in_a_few_steps(build_unet, make_sample):
    model = build_unet().train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(60):
        batch = make_batch((48, 32), make_sample)
        data = model.data_preprocessor(batch, training=True)
        loss, logged = model.parse_losses(model(**data, mode='loss'))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert logged['decode.dice_train'] > 0.9
    batch = make_batch((48, 32), make_sample)
    truth = torch.stack([s.gt_sem_seg.data for s in batch['data_samples']])
    with torch.no_grad():
        result = model.eval().test_step(batch)
    labels = torch.stack([sample.pred_sem_seg.data for sample in result])
    dice = 2 * (labels * truth).sum() / (labels.sum() + truth.sum())
    assert dice > 0.9
