import json
import os
import stat

import pytest

from mmmed import files


def test_atomic_write_replaces_and_leaves_nothing_beside(tmp_path):
    path = tmp_path / 'folder' / 'a.txt'
    files.write_text_atomic(path, 'old')
    files.write_text_atomic(path, 'new')
    assert path.read_text() == 'new'
    assert [p.name for p in path.parent.iterdir()] == ['a.txt']


def test_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / 'a.txt'
    files.write_text_atomic(path, 'old')

    def no_space(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'fsync', no_space)
    with pytest.raises(OSError, match='No space'):
        files.write_text_atomic(path, 'new')
    assert path.read_text() == 'old'
    assert [p.name for p in tmp_path.iterdir()] == ['a.txt']


def test_mode_is_that_of_an_ordinary_file(tmp_path):
    files.write_text_atomic(tmp_path / 'ours', '')
    (tmp_path / 'ordinary').touch()
    modes = {stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()}
    assert len(modes) == 1


def test_json_is_deterministic_and_refuses_nan(tmp_path):
    path = tmp_path / 'a.json'
    files.write_json_atomic(path, {'b': 1, 'a': [1.5, None, 'µ']})
    assert path.read_text() == (
        '{\n  "b": 1,\n  "a": [\n    1.5,\n    null,\n    "µ"\n  ]\n}\n'
    )
    with pytest.raises(ValueError, match='Out of range float'):
        files.write_json_atomic(path, {'a': float('nan')})
    assert json.loads(path.read_text())['b'] == 1


def test_hashes(tmp_path):
    (tmp_path / 'a').write_bytes(b'abc')
    # SHA-256 of 'abc', FIPS 180-2 appendix B.1.
    assert files.hash_file(tmp_path / 'a') == (
        'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
    )
    assert files.hash_json({'a': 1, 'b': 2}) == files.hash_json({'b': 2, 'a': 1})
    assert files.hash_json({'a': 1}) != files.hash_json({'a': 1.5})


def test_csv_is_tidy(tmp_path):
    rows = [{'case_id': 'a,b', 'dice': 0.1}, {'case_id': 'c', 'hd_mm': float('nan')}]
    files.write_csv_atomic(tmp_path / 'a.csv', rows)
    assert (tmp_path / 'a.csv').read_text() == ('case_id,dice,hd_mm\n"a,b",0.1,\nc,,\n')
    files.write_csv_atomic(tmp_path / 'empty.csv', [])
    assert (tmp_path / 'empty.csv').read_text() == ''
