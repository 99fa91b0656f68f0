"""Command lines, sorted."""

from pathlib import Path

import pytest

from mmmed.functional.organ_rule import OrganRule
from mmmed.inference.call import parse_call

DEFAULTS = {
    'export': None,
    'device': 'cpu',
    'plane': None,
    'neighbors': None,
    'window_level': None,
    'window_width': None,
    'ensemble': 'mean',
    'tta': False,
    'batch_size': 4,
    'memory_mib': None,
    'keep_near': None,
    'save': None,
    'num_parts': 1,
    'part_id': 0,
    'overwrite': False,
    'dry_run': False,
    'irregular': 'refuse',
}


def parse(*paths, **options):
    return parse_call({**DEFAULTS, 'paths': list(paths), **options})


def test_config_weights_input_output() -> None:
    call = parse('c.py', 'a.pth', 'b.pth', 'in', 'out')
    assert call.config == Path('c.py')
    assert call.weights == (Path('a.pth'), Path('b.pth'))
    assert (call.source, call.out) == (Path('in'), Path('out'))
    assert call.options['save'] == ('seg',)
    assert call.changes == {}


def test_onnx_files_need_no_config() -> None:
    call = parse('a.onnx', 'b.onnx', 'in', 'out', save=['prob', 'prob', 'seg'])
    assert call.config is None
    assert call.weights == (Path('a.onnx'), Path('b.onnx'))
    assert call.options['save'] == ('prob', 'seg')


def test_export_has_no_input() -> None:
    call = parse('c.py', 'a.pth', 'net.onnx', export='onnx')
    assert call.weights == (Path('a.pth'),)
    assert (call.source, call.out) == (None, Path('net.onnx'))


def test_what_the_user_knows_of_the_recipe() -> None:
    call = parse(
        'c.py', 'a.pth', 'in', 'out',
        plane='coronal', neighbors=2, window_level=[40, 700], window_width=[80, 3200],
    )  # fmt: skip
    assert call.changes == {
        'plane': 'coronal',
        'neighbors': 2,
        'intensity': {'kind': 'window', 'windows_hu': [(40, 80), (700, 3200)]},
    }


@pytest.mark.parametrize(
    ('paths', 'options', 'message'),
    [
        (['c.py'], {}, '1 paths'),
        (['c.py', 'in', 'out'], {}, '3 paths'),
        (['a.onnx', 'out'], {}, '2 paths'),
        (['c.py', 'out.onnx'], {'export': 'onnx'}, 'OUT.onnx'),
        (['a.pth', 'b.pth', 'in', 'out'], {}, 'config first'),
        (['c.py', 'a.onnx', 'in', 'out'], {}, 'leave CONFIG out'),
        (['c.py', 'a.pth', 'in', 'out'], {'window_level': [40]}, 'in pairs'),
    ],
)
def test_calls_that_make_no_sense(paths, options, message) -> None:
    with pytest.raises(ValueError, match=message):
        parse(*paths, **options)


def test_post_processing_is_part_of_the_prediction():
    call = parse('c.py', 'w.pth', 'in', 'out', keep_near=['liver', 'tumor', '10'])
    assert call.predict['organ_rule'] == OrganRule('liver', 'tumor', 10.0)
    assert parse('c.py', 'w.pth', 'in', 'out').predict['organ_rule'] is None
