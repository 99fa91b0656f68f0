import multiprocessing
import os
import pickle
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from mmmed.datasets.transforms.slice_cache import DecodedSlice, SliceCache


def make_slice(seed: int = 0, *, shape=(7, 5, 2), with_seg: bool = True):
    rng = np.random.default_rng(seed)
    seg = rng.integers(0, 3, (9, 4), dtype=np.uint8) if with_seg else None
    img = rng.integers(0, 256, shape, dtype=np.uint8)
    return DecodedSlice(img, seg, (9, 4), (1, 2, 3, 4))


def assert_same(first: DecodedSlice, second: DecodedSlice | None) -> None:
    assert second is not None
    assert np.array_equal(first.img, second.img)
    assert second.img.dtype == np.uint8
    if first.seg is None:
        assert second.seg is None
    else:
        assert np.array_equal(first.seg, second.seg)
    assert first[2:] == second[2:]


@pytest.mark.parametrize('with_seg', [True, False])
@pytest.mark.parametrize('shape', [(7, 5, 2), (8, 8, 1), (1, 1, 1)])
def test_round_trip(tmp_path, shape, with_seg):
    decoded = make_slice(shape=shape, with_seg=with_seg)
    cache = SliceCache(tmp_path / 'new' / 'folder')
    assert cache.read('a') is None
    cache.write('a', decoded)
    assert_same(decoded, cache.read('a'))


@pytest.mark.parametrize('rows', [[0] * 5, [0, 0, 1, 0, 0], [1, 2, 2, 0, 255], [7]])
def test_label_rows_are_folded_without_loss(tmp_path, rows):
    seg = np.repeat(np.array(rows, np.uint8)[:, None], 3, axis=1)
    seg[-1, 0] = 9
    decoded = make_slice()._replace(seg=seg)
    SliceCache(tmp_path).write('a', decoded)
    assert_same(decoded, SliceCache(tmp_path).read('a'))


def test_empty_label_map_costs_nearly_nothing(tmp_path):
    decoded = make_slice(shape=(64, 64, 1))._replace(seg=np.zeros((64, 64), np.uint8))
    SliceCache(tmp_path).write('a', decoded)
    # 64 * 64 pixels, one label row, one length, 14 words, the lead of the format.
    assert (tmp_path / 'a.npy').stat().st_size == 4096 + 64 + 8 + 14 * 8 + 128


def test_what_is_read_is_fresh(tmp_path):
    cache = SliceCache(tmp_path)
    cache.write('a', make_slice())
    cache.read('a').img[:] = 0
    assert_same(make_slice(), cache.read('a'))


def test_file_is_a_plain_array(tmp_path):
    SliceCache(tmp_path).write('a', make_slice())
    words = np.load(tmp_path / 'a.npy', allow_pickle=False)
    assert words.dtype == np.dtype('<u8')
    assert [p.name for p in tmp_path.iterdir()] == ['a.npy']


def damage_byte(position: int):
    def damage(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[position] ^= 1
        path.write_bytes(bytes(data))

    return damage


class Bomb:
    def __reduce__(self):
        return os.abort, ()


def store_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(Bomb()))


def store_object_array(path: Path) -> None:
    with path.open('wb') as stream:
        np.save(stream, np.array([Bomb()], object), allow_pickle=True)


DAMAGES = {
    'empty': lambda path: path.write_bytes(b''),
    'truncated': lambda path: path.write_bytes(path.read_bytes()[:-1]),
    'half': lambda path: path.write_bytes(path.read_bytes()[:200]),
    'longer': lambda path: path.write_bytes(path.read_bytes() + bytes(8)),
    'magic': damage_byte(1),
    'shape': damage_byte(128 + 8),
    'padding': damage_byte(128 + 8 * 9),
    'number of rows': damage_byte(128 + 8 * 12),
    'sum': damage_byte(128 + 8 * 13),
    'first pixel': damage_byte(128 + 8 * 14),
    'last label row': damage_byte(-8),
    'zeros': lambda path: path.write_bytes(bytes(len(path.read_bytes()))),
    'pickle': store_pickle,
    'object array': store_object_array,
}


@pytest.mark.parametrize('name', DAMAGES)
def test_damage_is_seen_and_repaired(tmp_path, name):
    cache = SliceCache(tmp_path)
    cache.write('a', make_slice())
    DAMAGES[name](tmp_path / 'a.npy')
    assert cache.read('a') is None
    cache.write('a', make_slice())
    assert_same(make_slice(), cache.read('a'))


def test_folder_that_cannot_be_written_is_reported_once(tmp_path, monkeypatch):
    messages = []
    monkeypatch.setattr(
        'mmmed.datasets.transforms.slice_cache.print_log',
        lambda text, *_: messages.append(text),
    )
    (tmp_path / 'file').write_text('in the way')
    cache = SliceCache(tmp_path / 'file' / 'folder')
    cache.write('a', make_slice())
    cache.write('b', make_slice())
    assert cache.read('a') is None
    assert len(messages) == 1
    assert 'set cache_dir' in messages[0]


def write_forever(folder: Path) -> None:
    cache = SliceCache(folder)
    while True:
        for k in range(5):
            cache.write(f'{k}', make_slice(k, shape=(200, 150, 1)))


def test_writers_killed_at_any_moment_leave_whole_files(tmp_path):
    context = multiprocessing.get_context('fork')
    reader = SliceCache(tmp_path)
    seen = 0
    for delay in (0.05, 0.08, 0.11):
        writers = [
            context.Process(target=write_forever, args=(tmp_path,)) for _ in range(3)
        ]
        for writer in writers:
            writer.start()
        until = time.monotonic() + delay
        while time.monotonic() < until:
            for k in range(5):
                # Read while others write: absent or whole, never in between.
                if (tmp_path / f'{k}.npy').exists():
                    assert_same(make_slice(k, shape=(200, 150, 1)), reader.read(f'{k}'))
                    seen += 1
        for writer in writers:
            os.kill(writer.pid, signal.SIGKILL)
            writer.join()
    assert seen > 0
    for path in tmp_path.glob('*.npy'):
        assert reader.read(path.stem) is not None
