"""Configs are parsed, never executed."""

import pytest

from mmmed.reporting.config_file import list_training_configs, read_assignment


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('x = dict(a=1, b=dict(c=[1, (2, 3)]))', {'a': 1, 'b': {'c': [1, [2, 3]]}}),
        ("x = {'a': -1.5}", {'a': -1.5}),
        ('x = 1\nx = 2', 1),
        ('y = 1', None),
        ("x = __import__('os').getcwd()", None),
        ('x = dict(a=open("/etc/passwd"))', {'a': None}),
    ],
)
def test_literals_only(tmp_path, text, expected):
    path = tmp_path / 'config.py'
    path.write_text(text)
    assert read_assignment(path, 'x') == expected


def test_config_of_the_latest_training_comes_first(tmp_path):
    for stamp, key in (('1', 'lr'), ('2', 'lr'), ('3', 'data_time')):
        folder = tmp_path / stamp / 'vis_data'
        folder.mkdir(parents=True)
        (folder / 'scalars.json').write_text(f'{{"{key}": 1}}\n')
    (tmp_path / 'recipe.py').write_text('')
    found = [
        p.relative_to(tmp_path).as_posix() for p in list_training_configs(tmp_path)
    ]
    assert found == ['2/vis_data/config.py', '1/vis_data/config.py', 'recipe.py']
