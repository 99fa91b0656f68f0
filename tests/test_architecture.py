"""The house rules that a machine can check: import directions, names, sizes."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / 'mmmed'

# Which rooms a room may import from; design of the house, section 3.3.
MAY_IMPORT = {
    'version': set(),
    'files': set(),
    'progress': set(),
    'registry': set(),
    'functional': set(),
    'checkpoint': {'files'},
    'compat': {'checkpoint'},
    'doctor': {'compat', 'version'},
    'structures': {'functional', 'files', 'version'},
    'io': {'structures', 'functional', 'files'},
    'synthesis': {'registry', 'functional', 'structures'},
    'phantoms': {'registry', 'io', 'functional', 'structures', 'files'},
    'preparation': {
        'registry', 'io', 'functional', 'structures', 'synthesis', 'files', 'progress',
    },
    'datasets': {'registry', 'io', 'functional', 'structures', 'files', 'synthesis'},
    'models': {'registry', 'functional', 'structures', 'checkpoint'},
    'visualization': {'registry', 'functional', 'structures'},
    'evaluation': {
        'registry', 'io', 'functional', 'structures', 'files', 'version', 'progress',
    },
    'engine': {
        'registry', 'io', 'functional', 'structures', 'files', 'checkpoint',
        'synthesis',
    },
    'inference': {
        'registry', 'io', 'functional', 'structures', 'files', 'checkpoint', 'compat',
        'version', 'progress',
    },
    'reporting': {
        'io', 'functional', 'structures', 'visualization', 'files', 'version',
        'checkpoint',
    },
    'serving': {
        'inference', 'reporting', 'io', 'functional', 'structures', 'files',
        'checkpoint', 'compat', 'version',
    },
    'serve': {'serving'},
    'experiments': {'files'},
}  # fmt: skip

HOST = {'mmengine', 'mmcv', 'mmseg', 'mim'}
# Third-party packages that only some rooms may know.
ONLY_IN = {
    **{
        name: {
            'registry', 'compat', 'checkpoint', 'doctor', 'datasets', 'models',
            'evaluation', 'engine', 'visualization', 'inference',
        }
        for name in HOST
    },
    # Volumes in the host's data samples: structures/voxel_data.py.
    'mmengine': {
        'registry', 'compat', 'checkpoint', 'doctor', 'datasets', 'models',
        'evaluation', 'engine', 'visualization', 'inference', 'structures',
    },
    'PIL': {'io'},
    'nibabel': {'io'},
    'pydicom': {'io'},
    'highdicom': {'io'},
    'isal': {'io'},
    'blosc2': {'io'},
    'matplotlib': {'visualization', 'reporting'},
    'cv2': {'functional', 'datasets'},
    'sklearn': {'preparation', 'functional'},
    'SimpleITK': {'inference'},
    'monai': {'models'},
    'timm': {'models'},
    'fastapi': {'serving'},
    'starlette': {'serving'},
    'uvicorn': {'serving'},
    'python_multipart': {'serving'},
}  # fmt: skip
FUNCTIONAL_NEEDS = {'numpy', 'scipy', 'torch', 'sklearn', 'cv2'}


def find_room(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix('.py')


def find_imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module
        elif isinstance(node, ast.ImportFrom):
            base = path.relative_to(ROOT).parts[: -node.level]
            yield '.'.join((*base, node.module or ''))


MODULES = sorted(p for p in PACKAGE.rglob('*.py') if p.parent != PACKAGE)
MODULES += [p for p in sorted(PACKAGE.glob('*.py')) if p.name != '__init__.py']


@pytest.mark.parametrize('path', MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_downwards(path):
    room = find_room(path)
    for name in find_imports(path):
        parts = name.split('.')
        if parts[0] == 'mmmed' and len(parts) > 1 and parts[1] != room:
            assert parts[1] in MAY_IMPORT[room], f'{room} may not import {name}'
        elif parts[0] in ONLY_IN:
            assert room in ONLY_IN[parts[0]], f'{room} may not import {name}'
        if room == 'functional' and parts[0] not in ('mmmed', *FUNCTIONAL_NEEDS):
            assert parts[0] in sys.stdlib_module_names, f'functional imports {name}'


def test_there_is_no_drawer():
    names = {p.stem for p in PACKAGE.rglob('*')}
    assert not names & {'utils', 'util', 'misc', 'helpers', 'common'}


def list_registries():
    import mmmed.registry as registry

    tables = {
        n: t for n, t in vars(registry).items() if n.isupper() and hasattr(t, 'scope')
    }
    return {n: t for n, t in tables.items() if t.scope == 'mmmed'}


@pytest.mark.parametrize('name', list_registries())
def test_every_registry_location_imports(name):
    table = list_registries()[name]
    for location in table._locations:
        importlib.import_module(location)
    assert len(table), f'{name} is empty, and an empty table is noise'


@pytest.mark.parametrize(
    'room', ['preparation', 'functional', 'io', 'phantoms', 'reporting']
)
def test_room_works_without_the_host(room):
    code = (
        'import sys\n'
        "for name in ('mmseg', 'mmcv'): sys.modules[name] = None\n"
        f'import importlib, pkgutil, mmmed.{room} as room\n'
        'for m in pkgutil.walk_packages(room.__path__, room.__name__ + "."):\n'
        '    importlib.import_module(m.name)\n'
    )
    result = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize('path', sorted((ROOT / 'tools').rglob('*.py')), ids=str)
def test_tools_are_short(path):
    assert len(path.read_text().splitlines()) <= 100


def test_no_data_or_weights_are_tracked():
    tracked = subprocess.run(
        ['git', 'ls-files', '-z'], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split('\0')
    heavy = [p for p in tracked if p and (ROOT / p).stat().st_size > 100_000]
    # The page's viewer, which no page may load from elsewhere; VENDOR.json names it.
    heavy = [p for p in heavy if p != 'mmmed/serving/static/vendor/niivue.umd.js']
    assert heavy == []
    suffixes = ('.pth', '.pt', '.npz', '.npy', '.nii', '.gz', '.dcm', '.pkl')
    assert [p for p in tracked if p.endswith(suffixes)] == []
