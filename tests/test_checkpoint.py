import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.runner.checkpoint import _load_checkpoint

from mmmed.checkpoint import convert_trusted_checkpoint, load_checkpoint_safely


@pytest.fixture
def message_hub_state():
    hub = MessageHub('test_checkpoint')
    for value in (1.0, 3.0, 8.0):
        hub.update_scalar('train/loss', value)
    hub.update_info('best', np.float64(0.25))
    hub.update_info('keep', [1, 2])
    return hub.state_dict()


def test_what_mmengine_writes_comes_back_whole(tmp_path, message_hub_state):
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(torch.ones(1, 1, 5, 5)).sum().backward()
    optimizer.step()
    path = tmp_path / 'iter_1.pth'
    torch.save(
        {
            'meta': {'seed': 3, 'dataset_meta': {'palette': [[0, 0, 0]]}},
            'state_dict': model.state_dict(),
            'optimizer': optimizer.state_dict(),
            'message_hub': message_hub_state,
        },
        path,
    )

    loaded = _load_checkpoint(str(path))  # through the scheme that compat registers

    assert loaded['meta'] == {'seed': 3, 'dataset_meta': {'palette': [[0, 0, 0]]}}
    assert loaded['state_dict']._metadata == model.state_dict()._metadata
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded['state_dict'][name], tensor)
    history = loaded['message_hub']['log_scalars']['train/loss']
    assert type(history) is HistoryBuffer
    np.testing.assert_array_equal(history.data[0], [1.0, 3.0, 8.0])
    assert history.statistics('mean', 2) == 5.5
    assert loaded['message_hub']['runtime_info']['best'] == 0.25
    hub = MessageHub('test_checkpoint_resumed')
    hub.load_state_dict(loaded['message_hub'])
    assert hub.get_scalar('train/loss').max() == 8.0


@pytest.mark.parametrize(
    'array',
    [
        np.arange(6, dtype='<i4').reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array([1.5, -2], dtype='>f4'),
        np.array([True, False]),
        np.zeros((0, 4), dtype=np.uint8),
        np.array(7, dtype=np.int64),
    ],
    ids=['int32', 'fortran', 'big-endian', 'bool', 'empty', '0-d'],
)
def test_arrays_survive(tmp_path, array):
    torch.save({'a': [array]}, tmp_path / 'a.pth')
    loaded = load_checkpoint_safely(tmp_path / 'a.pth')['a'][0]
    assert type(loaded) is np.ndarray
    assert loaded.dtype == array.dtype
    np.testing.assert_array_equal(loaded, array)


class Payload:
    """Touches a file when it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def make_attacks(marker):
    import os

    command = f'touch {marker}'
    return {
        'system': Payload(os.system, command),
        'eval': Payload(eval, f"open({str(marker)!r}, 'w')"),
        # The historical hole of allow-listing getattr: reach os through a module.
        'getattr': Payload(getattr, HistoryBuffer, '__init__'),
        'getattr_of_dict': Payload(getattr, dict, 'get'),
        'pickle': Payload(pickle.loads, pickle.dumps(Payload(os.system, command))),
        'object_array': np.array([Payload(os.system, command)], dtype=object),
        'object_dtype': Payload(np.dtype, 'O'),
        'structured_dtype': np.zeros(1, dtype=[('x', 'f8')]),
    }


@pytest.mark.parametrize(
    ('attack', 'named'),
    [
        ('system', 'system'),
        ('eval', 'eval'),
        ('getattr', '__init__'),
        ('getattr_of_dict', 'dict'),
        ('pickle', 'loads'),
        ('object_array', 'system'),
        ('object_dtype', "'O'"),
        ('structured_dtype', 'V8'),
    ],
)
def test_malicious_checkpoint_runs_nothing(tmp_path, attack, named):
    marker = tmp_path / 'executed'
    path = tmp_path / 'evil.pth'
    torch.save({'state_dict': {}, 'meta': make_attacks(marker)[attack]}, path)
    with pytest.raises(ValueError, match='refused') as caught:
        _load_checkpoint(str(path))
    assert named in str(caught.value)
    assert str(path) in str(caught.value)
    assert 'convert_checkpoint.py' in str(caught.value)
    assert not marker.exists()


def test_malicious_legacy_format_runs_nothing(tmp_path):
    marker = tmp_path / 'executed'
    path = tmp_path / 'legacy.pth'
    attack = make_attacks(marker)['system']
    torch.save({'meta': attack}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(ValueError, match='system'):
        load_checkpoint_safely(path)
    assert not marker.exists()


def test_plain_pickle_runs_nothing(tmp_path):
    marker = tmp_path / 'executed'
    path = tmp_path / 'plain.pth'
    path.write_bytes(pickle.dumps(make_attacks(marker)['system'], protocol=2))
    with pytest.raises(ValueError, match='refused'):
        load_checkpoint_safely(path)
    assert not marker.exists()


def test_damaged_and_missing_files_are_named(tmp_path):
    whole = tmp_path / 'whole.pth'
    torch.save({'state_dict': OrderedDict(w=torch.ones(1000))}, whole)
    cut = tmp_path / 'cut.pth'
    cut.write_bytes(whole.read_bytes()[:2000])
    with pytest.raises(ValueError, match=r'cut\.pth cannot be read.*damaged'):
        load_checkpoint_safely(cut)
    with pytest.raises(FileNotFoundError, match=r'gone\.pth'):
        load_checkpoint_safely(tmp_path / 'gone.pth')


def test_allow_list_does_not_leak_to_plain_torch_load(tmp_path, message_hub_state):
    path = tmp_path / 'hub.pth'
    torch.save(message_hub_state, path)
    load_checkpoint_safely(path)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)


def test_trusted_file_is_converted_once_and_then_loads(tmp_path, message_hub_state):
    legacy, safe = tmp_path / 'legacy.pth', tmp_path / 'safe.pth'
    content = {
        'state_dict': OrderedDict(w=torch.arange(3.0)),
        'message_hub': message_hub_state,
        'folder': Path('runs'),
    }
    torch.save(content, legacy)
    with pytest.raises(ValueError, match='pathlib'):
        load_checkpoint_safely(legacy)
    assert convert_trusted_checkpoint(legacy, safe) == ['folder']
    loaded = load_checkpoint_safely(safe)
    assert loaded['state_dict']['w'].tolist() == [0.0, 1.0, 2.0]
    assert loaded['message_hub']['log_scalars']['train/loss'].data[0][2] == 8.0
    assert sorted(loaded) == ['message_hub', 'state_dict']
