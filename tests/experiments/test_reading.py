import pytest

from mmmed.experiments import ExperimentReader


def read(folder, text, *, root=None):
    path = folder / 'experiment.yaml'
    path.write_text(text)
    return ExperimentReader(root or folder).read(path)


def test_files_take_the_place_of_their_names(tmp_path):
    (tmp_path / 'parts').mkdir()
    (tmp_path / 'parts' / 'a.yaml').write_text('x: b.yml')
    (tmp_path / 'parts' / 'b.yml').write_text('[1, 2.5, null, true, text]')
    found = read(tmp_path, r'data: parts\a.yaml')
    assert found == {'data': {'x': [1, 2.5, None, True, 'text']}}


def test_only_folders_of_a_computer_may_be_absent(tmp_path):
    reader = ExperimentReader(tmp_path)
    path = tmp_path / 'experiment.yaml'
    path.write_text('directory: _ssd.yaml')
    assert reader.read(path) == {'directory': None}
    assert reader.absent == [('directory', '_ssd.yaml')]
    with pytest.raises(FileNotFoundError, match=r"data names 'gone.yaml'"):
        read(tmp_path, 'data: gone.yaml')


@pytest.mark.parametrize(
    'name', ['../secret.yaml', 'inner/../../secret.yaml', 'link.yaml', 'C:/a.yaml']
)
def test_never_leaves_its_folder(tmp_path, name):
    folder = tmp_path / 'experiments'
    (folder / 'inner').mkdir(parents=True)
    (tmp_path / 'secret.yaml').write_text('a: 1')
    (folder / 'link.yaml').symlink_to(tmp_path / 'secret.yaml')
    with pytest.raises(ValueError, match=r'outside|one computer'):
        read(folder, f'data: {name}')


def test_a_wider_folder_can_be_given(tmp_path):
    folder = tmp_path / 'experiments'
    folder.mkdir()
    (tmp_path / 'data.yaml').write_text('a: 1')
    found = read(folder, 'data: ../data.yaml', root=tmp_path)
    assert found == {'data': {'a': 1}}


BOMB = 'a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n' + ''.join(
    f'{name}: &{name} [{", ".join([f"*{before}"] * 9)}]\n'
    for before, name in zip('abcdef', 'bcdefg', strict=True)
)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('a: !!python/object/apply:os.system [ls]', 'no YAML of plain values'),
        ('a: [', 'no YAML of plain values'),
        (BOMB, 'more than 20000 values'),
        ('[' * 40 + ']' * 40, 'nested deeper'),
        (''.join(f'{" " * n}a:\n' for n in range(400)), 'nested deeper'),
        ('data: experiment.yaml', 'does one name itself'),
        ('a: "{{$HOME:}}"', 'double braces'),
        ('a: "b\\nimport os"', 'without line breaks'),
        ('a: .nan', 'finite number'),
        ('a: 2024-10-02', 'expected text'),
        ('1: a', 'key 1 of top is no text'),
        ('- a', 'holds list'),
        ('a: ' + 'x' * (1 << 18), 'more than 262144 bytes'),
    ],
    ids=range(13),
)
def test_refuses_what_is_no_experiment(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, text)
