import numpy as np
import pytest

from mmmed.preparation.storage import is_whole
from mmmed.preparation.volume_storage import VolumeItem, VolumeStorage
from mmmed.preparation.workspace import Workspace, write_sparse


@pytest.fixture
def item(rng):
    return VolumeItem(
        'a',
        'p',
        {'t1w': rng.integers(0, 9, (3, 4, 5), np.uint8)},
        np.ones((3, 4, 5), bool),
        (3.0, 2.0, 1.0),
        np.diag([3.0, 2, 1, 1])[:, [0, 1, 2, 3]],
        {'n': 1},
    )


def test_an_item_becomes_files_a_record_and_a_case(item, tmp_path):
    storage, space = VolumeStorage(), Workspace(tmp_path / 'out')
    space.open()
    entry = {'records': [storage.store(item, space)]}
    record = storage.load(entry['records'][0])
    assert record.foreground_voxels == 60
    assert sorted(p.name for p in space.files.iterdir()) == ['a.seg.npy', 'a.t1w.npy']
    assert is_whole(entry, space, storage)
    case = storage.make_case(record, 'train', 0, {'site': 'R001'})
    assert case.img_paths == {'t1w': 'volumes/a/t1w.npy'}
    assert case.shape == (3, 4, 5)
    (space.files / 'a.seg.npy').write_bytes(b'x')
    assert not is_whole(entry, space, storage)
    assert not is_whole({'records': [{'case_id': 'a'}]}, space, storage)
    space.close(remove=True)


@pytest.mark.parametrize('size', [0, 1, 4096, 4097, 20_000])
def test_a_sparse_file_has_the_same_content(tmp_path, rng, size):
    data = bytearray(rng.integers(0, 256, size, np.uint8).tobytes())
    data[4096:16_384] = bytes(len(data[4096:16_384]))
    write_sparse(tmp_path / 'a', bytes(data))
    assert (tmp_path / 'a').read_bytes() == bytes(data)
    write_sparse(tmp_path / 'zeros', bytes(size))
    assert (tmp_path / 'zeros').read_bytes() == bytes(size)
