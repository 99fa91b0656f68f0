"""Networks from files, and the promise that scans are fed like training images."""

import dataclasses

import numpy as np
import pytest
import torch
from mmengine.config import Config
from torch import nn

from mmmed.inference.inferencer import Inferencer
from mmmed.inference.intensity import Intensity
from mmmed.inference.loading import load_networks
from mmmed.io import read_volume
from mmmed.phantoms import make_cohort, write_nifti_release
from mmmed.preparation import CraniumPreparer
from mmmed.registry import DATASETS, MODELS


def test_the_recipe_is_that_of_the_test_pipeline(trained) -> None:
    loaded = load_networks(trained.config, trained.weights)
    recipe = loaded.recipe
    assert len(loaded.networks) == 2
    assert [name for name, _ in loaded.weights] == ['fold0.pth', 'fold1.pth']
    assert recipe.classes == ('background', 'hemorrhage')
    assert recipe.intensity == Intensity('window', windows_hu=((40, 120),))
    assert (recipe.size, recipe.crop_size, recipe.stride) == (
        (48, 48),
        (32, 32),
        (16, 16),
    )
    assert (recipe.mean, recipe.std) == ((0.0,), (255.0,))
    assert (recipe.out_channels, recipe.threshold) == (1, 0.5)
    assert recipe.flips == ((-1,),)


@pytest.mark.parametrize('mode', ['slide', 'whole'])
def test_a_scan_gets_the_labels_of_its_prepared_slices(trained, tmp_path, mode) -> None:
    """Bit for bit what the host's test loop gives, through files and windows."""
    write_nifti_release(tmp_path / 'raw', make_cohort(3, slices=4, size=70, seed=3))
    CraniumPreparer(num_folds=2, seed=0, val_ratio=0.34).prepare(
        tmp_path / 'raw', tmp_path / 'data', quiet=True
    )
    config = Config.fromfile(trained.config)
    if mode == 'whole':
        config.model.test_cfg = {'mode': 'whole', 'size_divisor': 32}
    config.dump(tmp_path / 'config.py')
    loaded = load_networks(tmp_path / 'config.py', trained.weights[:1])
    model = loaded.networks[0].model
    dataset = DATASETS.build(
        {
            **config.test_dataloader.dataset,
            'data_root': str(tmp_path / 'data'),
            'split': None,
        }
    )
    inferencer = Inferencer(loaded.networks, loaded.recipe, batch_size=4)
    masks = {
        path.stem: inferencer.predict(read_volume(path)).volume.array
        for path in (tmp_path / 'raw' / 'ct_scans').glob('*.nii')
    }
    total = 0
    for index in range(len(dataset)):
        item = dataset[index]
        with torch.no_grad():
            (sample,) = model.test_step(
                {'inputs': [item['inputs']], 'data_samples': [item['data_samples']]}
            )
        wanted = sample.pred_sem_seg.data[0].numpy()
        number = sample.slice_index - 1
        assert np.array_equal(masks[sample.patient_id][number], wanted)
        total += int(wanted.sum())
    assert len(dataset) == 12
    assert total > 5000  # there was something to agree on


def test_a_picture_gets_the_labels_of_its_slice(trained, prepared_head_ct) -> None:
    loaded = load_networks(trained.config, trained.weights[:1])
    config = Config.fromfile(trained.config)
    dataset = DATASETS.build(
        {**config.test_dataloader.dataset, 'data_root': str(prepared_head_ct)}
    )
    item = dataset[0]
    with torch.no_grad():
        (sample,) = loaded.networks[0].model.test_step(
            {'inputs': [item['inputs']], 'data_samples': [item['data_samples']]}
        )
    inferencer = Inferencer(loaded.networks, loaded.recipe)
    found = inferencer.predict(read_volume(sample.img_path)).volume.array
    assert np.array_equal(found, sample.pred_sem_seg.data.numpy())


def test_an_ensemble_with_mirrored_views_runs(trained, make_volume, rng) -> None:
    loaded = load_networks(trained.config, trained.weights)
    volume = make_volume(rng.integers(-100, 200, (1, 20, 30)).astype(np.int16), 'SPL')
    masks = [
        Inferencer(loaded.networks, loaded.recipe, rule=rule, use_tta=tta)
        .predict(volume)
        .volume.array
        for rule, tta in (('mean', False), ('mean', True), ('vote', False))
    ]
    assert all(0.1 < mask.mean() < 0.9 for mask in masks)
    assert (masks[0] != masks[1]).any()
    # Both say so, or it is a tie, which the smaller label wins.
    alone = [
        Inferencer([network], loaded.recipe).predict(volume).volume.array
        for network in loaded.networks
    ]
    assert np.array_equal(masks[2], alone[0] & alone[1])


@MODELS.register_module()
class InferenceTestNet3d(nn.Module):
    """As small as a 3-D network can be; gives deep outputs as well."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layer = nn.Conv3d(1, channels, 3, padding=1)

    def forward(self, inputs):
        logits = self.layer(inputs)
        return [logits, logits[..., ::2]]


VOLUME_CONFIG = """
model = dict(type='mmmed.InferenceTestNet3d', channels=3)
inference = dict(
    dimension=3, orientation='LPS', spacing=(2.0, 2.0, 1.5), crop_size=(8, 8, 8),
    intensity=dict(kind='zscore'), classes=['background', 'liver', 'tumor'],
    flips=[[-1], [-2, -1]],
)
"""


@pytest.fixture
def volume_files(tmp_path):
    (tmp_path / 'net3d.py').write_text(VOLUME_CONFIG)
    torch.manual_seed(0)
    net = InferenceTestNet3d(3)
    torch.save({'state_dict': net.state_dict()}, tmp_path / 'net3d.pth')
    return tmp_path / 'net3d.py', tmp_path / 'net3d.pth'


def test_a_3d_network_is_described_by_its_config(volume_files, make_volume, rng):
    loaded = load_networks(volume_files[0], volume_files[1:])
    assert loaded.recipe.spacing == (2.0, 2.0, 1.5)
    assert loaded.recipe.stride == (4, 4, 4)
    volume = make_volume(rng.normal(size=(6, 20, 18)).astype('f4'), 'PSR', 12.0)
    inferencer = Inferencer(loaded.networks, loaded.recipe, use_tta=True)
    result = inferencer.predict(volume).volume
    assert result.shape == volume.shape
    assert len(np.unique(result.array)) > 1


@pytest.mark.parametrize('name', ['orientation', 'classes', 'intensity', 'crop_size'])
def test_a_3d_config_that_leaves_something_open_is_refused(volume_files, name) -> None:
    config = Config.fromfile(volume_files[0])
    del config.inference[name]
    config.dump(volume_files[0])
    with pytest.raises(ValueError, match=r'inference = dict|crop_size'):
        load_networks(volume_files[0], volume_files[1:])


def test_an_unknown_window_is_refused_not_guessed(trained, tmp_path) -> None:
    state = torch.load(trained.weights[0])
    del state['meta']['dataset_meta']['window_hu']
    torch.save(state, tmp_path / 'old.pth')
    with pytest.raises(ValueError, match='--window-level and --window-width'):
        load_networks(trained.config, [tmp_path / 'old.pth'])
    rule = {'kind': 'window', 'windows_hu': [[50, 100]]}
    loaded = load_networks(
        trained.config, [tmp_path / 'old.pth'], changes={'intensity': rule}
    )
    assert loaded.recipe.intensity.windows_hu == ((50.0, 100.0),)


def test_members_of_an_ensemble_must_see_the_same(trained, tmp_path) -> None:
    state = torch.load(trained.weights[0])
    state['meta']['dataset_meta']['window_hu'] = {'brain': [60.0, 120.0]}
    torch.save(state, tmp_path / 'other.pth')
    with pytest.raises(ValueError, match='intensity'):
        load_networks(trained.config, [trained.weights[1], tmp_path / 'other.pth'])


def test_weights_must_fit_and_be_safe(trained, volume_files, tmp_path) -> None:
    with pytest.raises(ValueError, match='does not fit the model'):
        load_networks(trained.config, volume_files[1:], changes={'classes': 'ab'})
    with pytest.raises(FileNotFoundError, match='nowhere'):
        load_networks(trained.config, [tmp_path / 'nowhere.pth'])
    with pytest.raises(FileNotFoundError, match='config'):
        load_networks(tmp_path / 'nowhere.py', trained.weights)
    (tmp_path / 'broken.pth').write_bytes(b'PK\x03\x04 broken')
    with pytest.raises(ValueError, match=r'broken\.pth'):
        load_networks(trained.config, [tmp_path / 'broken.pth'])
    (tmp_path / 'bad.py').write_text('model = 1 / 0')
    with pytest.raises(ValueError, match=r'bad\.py'):
        load_networks(tmp_path / 'bad.py', trained.weights)
    (tmp_path / 'no.py').write_text("model = dict(type='mmmed.NoSuchNet')")
    with pytest.raises(ValueError, match='NoSuchNet'):
        load_networks(tmp_path / 'no.py', trained.weights)
    with pytest.raises(ValueError, match='no weights'):
        load_networks(trained.config, [])


@pytest.mark.parametrize('device', ['tpu9', 'cuda:0'])
def test_unknown_devices(trained, device) -> None:
    if device == 'cuda:0' and torch.cuda.is_available():
        pytest.skip('there is a CUDA device')
    with pytest.raises(ValueError, match='--device'):
        load_networks(trained.config, trained.weights, device=device)


def test_recipes_are_plain_data(trained) -> None:
    recipe = load_networks(trained.config, trained.weights[:1]).recipe
    assert dataclasses.replace(recipe) == recipe
