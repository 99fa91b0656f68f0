import multiprocessing
import pickle
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmmed.io import open_chunked, write_chunked
from mmmed.io.chunked import encode_chunked

pytest.importorskip('blosc2')

SHAPE = (37, 70, 150)


@pytest.fixture
def array(rng):
    return rng.integers(-1000, 1000, SHAPE, dtype=np.int16)


@pytest.fixture
def path(array, tmp_path):
    write_chunked(array, tmp_path / 'ct.b2nd')
    return tmp_path / 'ct.b2nd'


@pytest.mark.parametrize('dtype', ['int16', 'uint16', 'uint8', 'float32'])
@pytest.mark.parametrize('shape', [(1, 1, 1), (5,), (2, 33, 47, 129), (65, 129, 131)])
def test_values_come_back(dtype, shape, rng, tmp_path):
    array = (1000 * rng.random(shape)).astype(dtype)
    write_chunked(array, tmp_path / 'a.b2nd')
    stored = open_chunked(tmp_path / 'a.b2nd')
    assert (stored.shape, stored.dtype) == (shape, np.dtype(dtype))
    np.testing.assert_array_equal(stored.read(), array)


@pytest.mark.parametrize('value', [0, 1, -1024])
def test_a_blank_volume_takes_almost_no_room(value, tmp_path):
    array = np.full((130, 200, 260), value, np.int16)
    write_chunked(array, tmp_path / 'a.b2nd')
    assert (tmp_path / 'a.b2nd').stat().st_size < array.nbytes / 400
    np.testing.assert_array_equal(open_chunked(tmp_path / 'a.b2nd').read(), array)


def test_not_a_number_is_kept(tmp_path):
    array = np.array([[[np.nan, -0.0, np.inf]]], np.float32)
    write_chunked(array, tmp_path / 'a.b2nd')
    stored = open_chunked(tmp_path / 'a.b2nd').read()
    assert stored.tobytes() == array.tobytes()


def test_every_layout_in_memory_gives_the_same_bytes(array):
    wanted = encode_chunked(array)
    assert encode_chunked(np.asfortranarray(array)) == wanted
    assert encode_chunked(array[::-1, :, ::-1][::-1, :, ::-1]) == wanted
    assert encode_chunked(array.astype('>i2')) == wanted


@given(data=st.data())
def test_any_box_is_the_same_part(data, tmp_path_factory):
    rng = np.random.default_rng(0)
    shape = tuple(data.draw(st.integers(1, 90)) for _ in range(3))
    array = rng.integers(0, 9, shape, dtype=np.uint8)
    box = []
    for length in shape:
        start = data.draw(st.integers(0, length - 1))
        box.append(slice(start, data.draw(st.integers(start + 1, length))))
    path = tmp_path_factory.getbasetemp() / 'any.b2nd'
    path.write_bytes(encode_chunked(array))
    np.testing.assert_array_equal(open_chunked(path).read(box), array[tuple(box)])


@pytest.mark.parametrize(
    'box',
    [
        (slice(0, 5), slice(0, 5)),
        (slice(0, 5), slice(0, 5), slice(0, 151)),
        (slice(-3, 5), slice(0, 5), slice(0, 5)),
        (slice(3, 3), slice(0, 5), slice(0, 5)),
        (slice(0, 6, 2), slice(0, 5), slice(0, 5)),
    ],
)
def test_a_box_outside_is_refused(path, box):
    with pytest.raises(ValueError, match=r'box .*expected'):
        open_chunked(path).read(box)


@pytest.mark.parametrize(
    ('array', 'reason'),
    [
        (np.zeros((2, 2, 2)), 'float64'),
        (np.zeros((2, 2, 2), bool), 'bool'),
        (np.zeros((2, 0, 2), np.uint8), 'some voxels'),
        (np.zeros((1,) * 5, np.uint8), '1 to 4 axes'),
    ],
)
def test_other_arrays_are_refused(array, reason, tmp_path):
    with pytest.raises(ValueError, match=reason):
        write_chunked(array, tmp_path / 'a.b2nd')
    assert not list(tmp_path.iterdir())


def test_a_copy_for_another_process_reads_the_same(path, array):
    stored = pickle.loads(pickle.dumps(open_chunked(path)))
    np.testing.assert_array_equal(stored.read(), array)


def read_sum(stored):
    return int(stored.read((slice(3, 30), slice(5, 69), slice(7, 140))).sum())


def test_forked_workers_and_threads_read_the_same(path, array):
    stored = open_chunked(path)
    wanted = int(array[3:30, 5:69, 7:140].sum())
    assert read_sum(stored) == wanted  # the parent has used it before it forks
    with multiprocessing.get_context('fork').Pool(2) as pool:
        assert pool.map(read_sum, [stored] * 4) == [wanted] * 4
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(read_sum(stored)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [wanted] * 4


def test_the_replaced_file_stays_readable(path, array):
    stored = open_chunked(path)
    write_chunked(array + 1, path)
    np.testing.assert_array_equal(stored.read(), array)
    np.testing.assert_array_equal(open_chunked(path).read(), array + 1)


def test_without_the_package_the_error_says_what_to_install(monkeypatch, path):
    monkeypatch.setitem(sys.modules, 'blosc2', None)
    with pytest.raises(ImportError, match=r'pip install "mmmed\[volumes\]"'):
        open_chunked(path)


def test_an_absent_or_empty_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        open_chunked(tmp_path / 'a.b2nd')
    (tmp_path / 'a.b2nd').write_bytes(b'')
    with pytest.raises(ValueError, match=r'a\.b2nd: not a readable.*empty'):
        open_chunked(tmp_path / 'a.b2nd')


def test_voxels_that_were_damaged_are_told(tmp_path, rng):
    array = np.add.outer(np.arange(60), np.add.outer(np.arange(128), np.arange(130)))
    content = encode_chunked(array.astype(np.int16))
    reasons = []
    for at in rng.integers(300, len(content) - 300, 40):
        changed = content[:at] + rng.bytes(30) + content[at + 30 :]
        (tmp_path / 'a.b2nd').write_bytes(changed)
        try:
            open_chunked(tmp_path / 'a.b2nd').read()  # other voxels, or an error
        except ValueError as error:
            reasons.append(str(error))
    assert len(reasons) > 10
    assert all('a.b2nd: not a readable chunked volume' in r for r in reasons)
