"""Descriptions of checkpoints are not trusted."""

import subprocess
import sys

import pytest

from mmmed.inference.classifier_config import read_description

MODEL = {
    'type': 'mmmed.VolumeClassifier',
    'network': {'type': 'mmmed.MonaiUNet', 'pretrained': True, 'init_cfg': {'x': 1}},
    'head': {
        'type': 'mmmed.MultiTargetHead',
        # A target called "type" is no part to build.
        'targets': {'type': 3, 'mvi': 2},
        'class_weight': {'type': 'balanced'},
    },
}


def make(**changes):
    entry = {
        'schema_version': 1,
        'targets': {'type': ['HCC', 'ICC', 'cyst'], 'mvi': ['no', 'yes']},
        'sequences': ['t2', 'adc'],
        'model': MODEL,
        'dataset': {'type': 'mmmed.MedSegDataset'},
        'pipeline': [{'type': 'mmmed.PackMedInputs'}],
        'split': {'fold': 1},
    }
    return {'meta': {'classification': entry | changes}}


def test_a_description_is_read_and_fetches_nothing():
    found = read_description(make(), 'a.pth')
    assert found.targets == {'type': ('HCC', 'ICC', 'cyst'), 'mvi': ('no', 'yes')}
    assert found.sequences == ('t2', 'adc')
    assert found.model['network'] == {'type': 'mmmed.MonaiUNet', 'pretrained': False}


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'model': {'type': 'subprocess.Popen', 'args': 'id'}}, 'subprocess.Popen'),
        ({'model': MODEL | {'network': {'type': 'os.system'}}}, 'os.system'),
        ({'model': MODEL | {'network': {'type': 'mmmed.serve.main'}}}, 'no model of'),
        ({'model': MODEL | {'network': [{'type': 'Pretrained'}]}}, 'Pretrained'),
        ({'model': MODEL | {'_scope_': 'mmseg'}}, 'names a scope'),
        ({'pipeline': [{'type': 'mmmed.VolumeClassifier'}]}, 'no transform of mmmed'),
        ({'dataset': {'type': 'CustomDataset'}}, 'CustomDataset'),
        ({'targets': {'type': ['HCC']}}, 'two classes or more'),
        ({'targets': 3}, 'not usable'),
        ({'schema_version': 2}, 'version 2'),
    ],
)
def test_anything_that_is_not_ours_is_refused(changes, message):
    with pytest.raises(ValueError, match=message) as error:
        read_description(make(**changes), 'bad.pth')
    assert 'bad.pth' in str(error.value)


def test_a_checkpoint_without_a_description_names_the_hook():
    with pytest.raises(ValueError, match='SelfDescriptionHook'):
        read_description({'meta': {'epoch': 1}}, 'old.pth')
    with pytest.raises(ValueError, match='SelfDescriptionHook'):
        read_description({'state_dict': {}}, 'old.pth')


@pytest.mark.slow
def test_a_fresh_process_repairs_the_host_first():
    code = (
        'from mmmed.inference.classifier_config import check_parts\n'
        'from mmmed.registry import MODELS\n'
        "check_parts({'type': 'mmmed.VolumeClassifier'}, MODELS)\n"
    )
    subprocess.run([sys.executable, '-c', code], check=True)
