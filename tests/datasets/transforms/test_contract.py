"""What every registered transform of ours promises, whichever it is."""

import inspect

import numpy as np
import pytest
import torch

import mmmed.datasets  # noqa: F401  (registers them)
from mmmed.datasets.transforms.base import DrawnTransform
from mmmed.registry import TRANSFORMS

# Constructor arguments of those that need any.
ARGUMENTS = {
    'RandomCropSlice': {'size': (17, 13)},
    'LoadVolumePatch': {'size': (8, 9, 10)},
    'RandomCropVolume': {'size': (8, 9, 10)},
    'WindowVolume': {'low': -21, 'high': 189},
    'JointSequences': {'transforms': [{'type': 'mmmed.RandomFlipVolume'}]},
    'EachSequence': {'transforms': [{'type': 'mmmed.RandomIntensityVolume'}]},
    'RandomBlurSlice': {'limit': 7},
    'RandomFieldSlice': {'size_px': (4, 12)},
    'SliceAugmentation': {'recipe': 'F'},
}
# Changes of grey values that keep fractions, and deformations of a slice.
GREYS = {
    'RandomBiasSlice',
    'RandomBlurSlice',
    'RandomContrastSlice',
    'RandomCurveSlice',
    'RandomDropoutSlice',
    'RandomFieldSlice',
    'RandomGainSlice',
    'RandomGammaSlice',
    'RandomNoiseSlice',
}
WARPS = {
    'RandomCropResizeSlice',
    'RandomElasticSlice',
    'RandomGridSlice',
    'RandomLensSlice',
    'RandomPoseSlice',
}
# Keys that a transform may add, remove or change, as its docstring lists them.
CHANGES = {
    'RandomFlipSlice': {'img', 'gt_seg_map', 'img_padding_size'}
    | {'flip', 'flip_direction', 'applied'},
    'RandomAffineSlice': {'img', 'gt_seg_map', 'img_padding_size', 'img_spacing'}
    | {'applied'},
    'RandomCropSlice': {'img', 'gt_seg_map', 'img_padding_size', 'applied'}
    | {'img_shape', 'pad_shape'},
    'RandomIntensity': {'img', 'applied'},
    **{name: {'img', 'applied'} for name in GREYS},
    **{name: {'img', 'gt_seg_map', 'img_padding_size', 'applied'} for name in WARPS},
}
# Transforms of volumes and lesions take other samples; tests are beside their modules.
VOLUMES = {
    'LoadVolumePatch',
    'RandomAffineVolume',
    'RandomCropVolume',
    'RandomFlipVolume',
    'RandomIntensityVolume',
    'RandomMRArtifact',
    'SequenceDropout',
    'SynthesizeCordLesions',
    'SynthesizeLesions',
}
NAMES = sorted(TRANSFORMS.module_dict)
DRAWN = [
    name
    for name in NAMES
    if issubclass(TRANSFORMS.module_dict[name], DrawnTransform) and name not in VOLUMES
]
SEEDS = range(12)


def build(name: str, **options):
    config = {'type': f'mmmed.{name}', **ARGUMENTS.get(name, {}), **options}
    return TRANSFORMS.build(config)


def flatten(value):
    """Anything a sample holds, as something that == compares."""
    if isinstance(value, np.ndarray | torch.Tensor):
        return value.shape, str(value.dtype), value.tolist()
    if hasattr(value, 'gt_sem_seg'):
        return value.metainfo, value.gt_sem_seg.data.tolist()
    return repr(value) if isinstance(value, np.random.Generator) else value


def run(name, sample) -> dict:
    return {key: flatten(value) for key, value in build(name)(sample).items()}


def test_contract_covers_what_is_registered():
    assert set(CHANGES) == set(DRAWN)
    assert {'LoadSlice', 'PackMedInputs'} <= set(NAMES)


@pytest.mark.parametrize('name', NAMES)
def test_documents_its_keys(name):
    text = inspect.getdoc(TRANSFORMS.module_dict[name])
    assert 'Required keys:' in text
    assert 'Modified keys:' in text or 'Added keys:' in text or 'Returns' in text


@pytest.mark.parametrize('name', NAMES)
def test_repr_shows_arguments(name):
    assert repr(build(name)).startswith(f'{name}(')


@pytest.mark.parametrize('name', DRAWN)
@pytest.mark.parametrize('channels', [1, 2, 3])
def test_geometry_types_and_labels_hold(make_sample, name, channels):
    for seed in SEEDS:
        # The arrays of the sample are locked: writing into them raises.
        sample = make_sample(channels=channels, seed=seed)
        out = build(name)(dict(sample))
        assert out['img'].dtype == (np.float32 if name in GREYS else np.uint8)
        assert out['gt_seg_map'].dtype == np.uint8
        assert out['img'].shape == (*out['img_shape'], channels)
        assert out['gt_seg_map'].shape == out['img_shape']
        assert set(np.unique(out['gt_seg_map'])) <= {0, 1, 255}
        assert out['ori_shape'] == (24, 16)
        assert out['seg_fields'] == ['gt_seg_map']


@pytest.mark.parametrize('name', DRAWN)
def test_only_documented_keys_change(make_sample, name):
    for seed in SEEDS:
        sample = make_sample(seed=seed)
        before = {key: flatten(value) for key, value in sample.items()}
        after = run(name, dict(sample))
        changed = {
            key
            for key in before.keys() | after.keys()
            if before.get(key) != after.get(key)
        }
        assert changed - {'rng'} <= CHANGES[name]


@pytest.mark.parametrize('name', DRAWN)
def test_same_generator_same_bits(make_sample, name):
    outputs = [[run(name, make_sample(seed=s)) for s in SEEDS] for _ in range(2)]
    for first, second in zip(*outputs, strict=True):
        first.pop('rng'), second.pop('rng')
        assert first == second
    assert len({repr(out['img']) for out in outputs[0]}) > 1


@pytest.mark.parametrize('name', DRAWN)
def test_randomness_comes_from_the_sample_alone(make_sample, name, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError('global random state used')

    for function in ('random', 'rand', 'randint', 'uniform', 'normal', 'choice'):
        monkeypatch.setattr(np.random, function, refuse)
    torch_state = torch.get_rng_state()
    build(name)(make_sample())
    assert torch.equal(torch.get_rng_state(), torch_state)


@pytest.mark.parametrize('name', DRAWN)
def test_recorded_parameters_redo_the_transform(make_sample, name):
    for seed in SEEDS:
        out = build(name, prob=1.0)(make_sample(seed=seed))
        (record,) = out['applied']
        params = {key: value for key, value in record.items() if key != 'type'}
        again = build(name).apply(make_sample(), params)
        assert record['type'] == name
        assert np.array_equal(again['img'], out['img'])
        assert np.array_equal(again['gt_seg_map'], out['gt_seg_map'])


@pytest.mark.parametrize('name', DRAWN)
def test_not_applied_is_untouched(make_sample, name):
    sample = make_sample()
    out = build(name, prob=0.0)(dict(sample))
    assert out['img'] is sample['img']
    assert out['gt_seg_map'] is sample['gt_seg_map']
    assert 'applied' not in out
