import pytest

from mmmed.structures.json_file import load_json


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (b'{', 'not readable as JSON'),
        (b'\xff\xfe', 'not readable as JSON'),
        (b'[NaN]', 'NaN is not JSON'),
        (b'[' * 100_000, 'nested too deeply'),
    ],
)
def test_what_is_not_json_is_refused(tmp_path, content, words):
    (tmp_path / 'a.json').write_bytes(content)
    with pytest.raises(ValueError, match=words):
        load_json(tmp_path / 'a.json')


def test_json_is_read(tmp_path):
    (tmp_path / 'a.json').write_text('{"a": [1, null]}')
    assert load_json(tmp_path / 'a.json') == {'a': [1, None]}
