"""A scan is fed to a 3-D network exactly as its test pipeline fed it."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

import mmmed.datasets.transforms  # noqa: F401  (fills the registry)
from mmmed.files import hash_file
from mmmed.inference.inferencer import Inferencer
from mmmed.inference.loading import load_networks
from mmmed.inference.volume_recipe import read_volume_recipe
from mmmed.io.chunked import write_chunked
from mmmed.registry import DATASETS, MODELS
from mmmed.structures import Volume
from mmmed.structures.manifest import Manifest
from mmmed.structures.volume_case import VolumeCase

META = {
    'schema_version': 1,
    'dataset': 'liver',
    'task': 'segmentation',
    'unit': 'volume',
    'classes': ['background', 'organ', 'tumor'],
    'channels': 1,
    'channel_names': ['ct'],
    'num_folds': 2,
    'orientation': 'SAR',
    'intensity': {'rule': 'stored', 'unit': 'HU'},
}
WINDOW = {'type': 'mmmed.WindowVolume', 'low': -200.0, 'high': 300.0}
SCORE = {'type': 'mmmed.NormalizeVolume', 'over': 'nonzero'}


def make_pipeline(*steps, **loading):
    return [
        {'type': 'mmmed.LoadVolume', **loading},
        *steps,
        {'type': 'mmmed.PackMedVolumes'},
    ]


@pytest.fixture
def scan(rng):
    affine = np.array([[0, 0, 1.5, 3], [0, 1, 0, -4], [3, 0, 0, 7], [0, 0, 0, 1.0]])
    array = rng.normal(0, 200, (9, 14, 12)).astype(np.int16)
    return Volume(array, (3.0, 1.0, 1.5), affine)


@pytest.fixture
def make_training(tmp_path, scan):
    """What a training leaves behind: data, config and checkpoint."""

    def make(pipeline):
        folder = tmp_path / 'data/volumes/a'
        folder.mkdir(parents=True)
        write_chunked(scan.array, folder / 'ct.b2nd')
        case = VolumeCase(
            case_id='a',
            patient_id='a',
            split='val',
            fold=0,
            img_paths={'ct': 'volumes/a/ct.b2nd'},
            seg_map_path=None,
            shape=scan.shape,
            spacing=scan.spacing,
            affine=tuple(map(tuple, scan.grid.tolist())),
            foreground_voxels=None,
            positive=None,
            sha256={'ct': hash_file(folder / 'ct.b2nd')},
        )
        Manifest(META, (case,)).write(tmp_path / 'data/manifest.json')
        network = {
            'type': 'mmmed.MonaiUNet', 'out_channels': 3, 'channels': (4, 4),
            'strides': (2,), 'num_res_units': 0,
        }  # fmt: skip
        dataset = {
            'type': 'mmmed.VolumeDataset', 'data_root': str(tmp_path / 'data'),
            'test_mode': True, 'pipeline': pipeline,
        }  # fmt: skip
        config = Config(
            {
                'default_scope': 'mmseg',
                'model': {
                    'type': 'mmmed.VolumeSegmentor',
                    'network': network,
                    'decode_head': {'type': 'mmmed.VolumeHead', 'num_classes': 3},
                    'test_cfg': {'crop_size': (8, 8, 8), 'flips': ((-1,),)},
                },
                'test_dataloader': {'dataset': dataset},
            }
        )
        config.dump(tmp_path / 'config.py')
        torch.manual_seed(3)
        model = MODELS.build(config.model).eval()
        state = {'state_dict': model.state_dict(), 'meta': {'dataset_meta': META}}
        torch.save(state, tmp_path / 'weights.pth')
        return DATASETS.build(dataset), model

    return make


@pytest.mark.parametrize(
    'pipeline',
    [
        make_pipeline(WINDOW),
        make_pipeline(SCORE),
        make_pipeline(),
        make_pipeline(WINDOW, spacing=(2.0, 1.0, 1.0)),
    ],
    ids=['window', 'z-score', 'stored', 'resampled'],
)
def test_inference_labels_a_scan_as_the_test_loop_does(
    make_training, tmp_path, scan, pipeline
):
    dataset, model = make_training(pipeline)
    expected = model.test_step(pseudo_collate([dataset[0]]))[0].pred_sem_seg.data[0]
    assert len(expected.unique()) == 3
    loaded = load_networks(tmp_path / 'config.py', [tmp_path / 'weights.pth'])
    inferencer = Inferencer(loaded.networks, loaded.recipe, use_tta=True)
    # However the scan lies in its file.
    for volume in (scan, scan.reorient('LPI')):
        found = inferencer.predict(volume).volume.reorient('SAR').array
        # Interpolated probabilities that are equal on paper differ in the last bits.
        share = 1.0 if dataset.pipeline.transforms[0].spacing is None else 0.999
        assert (found == expected.numpy()).mean() >= share


def test_recipe_of_a_window_and_a_spacing():
    pipeline = make_pipeline(WINDOW, spacing=(1, 1, 1))
    values = read_volume_recipe({}, pipeline, META, {})
    assert values == {
        'dimension': 3, 'orientation': 'SAR', 'spacing': (1, 1, 1), 'mean': (-200.0,),
        'std': (500.0,), 'intensity': {'kind': 'clip', 'limits': (-200.0, 300.0)},
    }  # fmt: skip
    prepared = {**META, 'spacing_mm': [2, 2, 2]}
    values = read_volume_recipe({}, make_pipeline(), prepared, {})
    assert values['spacing'] == (2, 2, 2)


def test_stored_greys_keep_the_rule_of_the_preparation():
    meta = {'unit': 'volume', 'intensity': {'rule': 'percentile'}}
    greys = {'type': 'mmmed.WindowVolume', 'low': 0, 'high': 255}
    values = read_volume_recipe({}, make_pipeline(greys), meta, {})
    assert 'intensity' not in values
    assert values['std'] == (255.0,)
    for step in (WINDOW, SCORE):
        with pytest.raises(ValueError, match='state it'):
            read_volume_recipe({}, make_pipeline(step), meta, {})


@pytest.mark.parametrize(
    ('pipeline', 'meta'),
    [
        (make_pipeline(WINDOW, SCORE), META),
        (make_pipeline({'type': 'Resize'}), META),
        (make_pipeline()[1:], META),
        (make_pipeline(), {}),
    ],
)
def test_what_cannot_be_known_is_asked_for(pipeline, meta):
    with pytest.raises(ValueError, match='state it in the config'):
        read_volume_recipe({}, pipeline, meta, {})
