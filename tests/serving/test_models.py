"""Models as a command line names them."""

import pickle
from pathlib import Path

import pytest

from mmmed.serving.models import (
    ModelSpec,
    check_models,
    hash_model,
    parse_model,
    plan_loading,
)


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('a=c.py:x.pth', ModelSpec('a', Path('c.py'), (Path('x.pth'),))),
        (
            'a-1=c.json:x,y/z',
            ModelSpec('a-1', Path('c.json'), (Path('x'), Path('y/z'))),
        ),
        ('a=n.onnx', ModelSpec('a', None, (Path('n.onnx'),))),
        ('a=n.onnx,m.ONNX', ModelSpec('a', None, (Path('n.onnx'), Path('m.ONNX')))),
    ],
)
def test_specs_by_hand(text, expected) -> None:
    assert parse_model(text) == expected


@pytest.mark.parametrize(
    'text',
    [
        '', 'a', 'a=', '=c.py:x', 'a b=c.py:x', 'a/b=n.onnx', 'ä=n.onnx',
        f'{"a" * 41}=n.onnx', 'a=x.pth:c.py', 'a=c.py:', 'a=c.py:n.onnx', 'a=x.pth',
    ],
)  # fmt: skip
def test_everything_else_is_refused(text) -> None:
    with pytest.raises(ValueError, match='model'):
        parse_model(text)


def test_files_must_exist_and_names_differ(tmp_path) -> None:
    (tmp_path / 'n.onnx').write_bytes(b'x')
    spec = parse_model(f'a={tmp_path}/n.onnx')
    check_models([spec])
    with pytest.raises(ValueError, match='different names'):
        check_models([spec, spec])
    with pytest.raises(ValueError, match='--model'):
        check_models([])
    with pytest.raises(FileNotFoundError, match=r'm\.onnx'):
        check_models([parse_model(f'a={tmp_path}/m.onnx')])


def test_the_fingerprint_is_of_contents(tmp_path) -> None:
    for name, content in (('a.onnx', b'1'), ('b.onnx', b'1'), ('c.onnx', b'2')):
        (tmp_path / name).write_bytes(content)
    a, b, c = (hash_model(parse_model(f'm={tmp_path}/{n}.onnx')) for n in 'abc')
    assert a == b != c


def test_loading_can_be_sent_to_another_process() -> None:
    plan = plan_loading([parse_model('a=n.onnx')], 'cpu')
    assert pickle.loads(pickle.dumps(plan)).args == plan.args
