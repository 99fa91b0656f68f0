import os
import pickle

import numpy as np
import pytest

from mmmed.datasets.transforms.volume_maps import VolumeMaps

SHAPE = (4, 5, 6)


@pytest.fixture
def write(tmp_path):
    def write(name='a', dtype=np.uint8) -> str:
        path = tmp_path / f'{name}.npy'
        np.save(path, np.arange(120).reshape(SHAPE).astype(dtype))
        return str(path)

    return write


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_maps_equal_the_files_and_cannot_be_written(write, dtype):
    path = write(dtype=dtype)
    volume = VolumeMaps().open(path, SHAPE)
    assert volume.dtype == dtype
    assert np.array_equal(volume, np.load(path))
    with pytest.raises(ValueError, match='read-only'):
        volume[0] = 0


def test_open_maps_need_no_descriptor_and_are_limited(write):
    maps = VolumeMaps(capacity=3)
    paths = [write(str(k)) for k in range(8)]
    before = len(os.listdir('/proc/self/fd')) if os.path.isdir('/proc/self/fd') else 0
    volumes = [maps.open(path, SHAPE) for path in paths]
    if before:
        assert len(os.listdir('/proc/self/fd')) == before
    assert [maps.holds(path) for path in paths] == [False] * 5 + [True] * 3
    # Those that were given out stay valid.
    assert all(np.array_equal(volume, volumes[0]) for volume in volumes)
    maps.open(paths[5], SHAPE)
    maps.open(paths[0], SHAPE)
    assert maps.holds(paths[5])
    assert not maps.holds(paths[6])


def test_a_spawned_worker_opens_its_own(write):
    maps = VolumeMaps(capacity=3)
    maps.open(write(), SHAPE)
    copy = pickle.loads(pickle.dumps(maps))
    assert copy.capacity == 3
    assert not copy.holds(write())


def test_damaged_files_are_named(write, tmp_path):
    path = tmp_path / 'a.npy'
    write()
    good = path.read_bytes()

    def fail(content, match):
        path.unlink()
        path.write_bytes(content)
        with pytest.raises(ValueError, match=match):
            VolumeMaps().open(str(path), SHAPE)

    fail(good[:-1], r'a\.npy: 247 bytes, expected 248; the file is cut off')
    fail(b'junk' * 100, r'a\.npy: ')
    fail(b'', r'a\.npy: ')
    fail(good.replace(b'|u1', b'|O '), r'a\.npy: ')
    fail(good.replace(b'False', b'True '), 'in Fortran order')
    fail(good.replace(b'(4, 5, 6)', b'(4, 6, 5)'), r'the manifest says \(4, 5, 6\)')
    fail(good.replace(b'NUMPY\x01', b'NUMPY\x02'), r'version \(2, 0\)')
    fail(good.replace(b'|u1', b'<f4'), 'float32 of shape')
    path.unlink()
    with pytest.raises(FileNotFoundError, match='no volume at'):
        VolumeMaps().open(str(path), SHAPE)
