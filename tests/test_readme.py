"""What the documents promise: links lead somewhere, named files and options exist."""

import contextlib
import functools
import io
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    ROOT / name
    for name in subprocess.run(
        ['git', 'ls-files', '*.md'],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
]
names = [str(p.relative_to(ROOT)) for p in PAGES]


@pytest.mark.parametrize('page', PAGES, ids=names)
def test_links_lead_somewhere(page):
    links = re.findall(r'\]\(([^)#:\s]+)(?:#[^)]*)?\)', page.read_text())
    assert [t for t in links if not (page.parent / t).exists()] == []


@pytest.mark.parametrize('page', PAGES, ids=names)
def test_named_files_exist(page):
    text = page.read_text()
    paths = re.findall(
        r'(?<![\w/.])((?:configs|tools|benchmarks|mmmed)/[\w/.-]+\.py)', text
    )
    # A page that teaches may name a file that the reader is about to write.
    taught = set(re.findall(r'mmmed/a/b\.py|tools/<\w+>\.py', text))
    assert [p for p in paths if p not in taught and not (ROOT / p).exists()] == []


@functools.cache
def show_help(tool, *subject):
    # In this process: two dozen others would import torch and the host, each anew.
    shown = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(shown):
        patch.setattr(sys, 'argv', [tool, *subject, '--help'])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(ROOT / tool), run_name='__main__')
    assert ended.value.code == 0
    return shown.getvalue()


@pytest.mark.parametrize('page', PAGES, ids=names)
def test_options_of_our_tools_exist(page):
    text = page.read_text().replace('\\\n', ' ')
    for line in re.findall(r'python (tools/\w+\.py[^\n`|]*)', text):
        tool, *words = line.split()
        options = [w.partition('=')[0] for w in words if w.startswith('--')]
        # The first word may choose a sub-command with options of its own.
        subject = [w for w in words[:1] if w.isidentifier()]
        if options:
            shown = show_help(tool, *subject)
            assert [o for o in options if o not in shown] == [], line


def test_readme_opens_with_the_two_commands():
    text = (ROOT / 'README.md').read_text()
    assert len(text.splitlines()) <= 150
    first_block = text.split('```bash\n')[1].split('```')[0]
    commands = [line.split('#')[0].strip() for line in first_block.splitlines()]
    assert commands == ['make demo', 'make test']


@pytest.mark.parametrize('target', ['setup', 'demo', 'test', 'lint', 'bench'])
def test_make_target_exists(target):
    result = subprocess.run(
        ['make', '--dry-run', target],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_demo_names_existing_files():
    shown = subprocess.run(
        ['make', '--dry-run', 'demo', 'DATA=/somewhere/raw'],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    paths = re.findall(r'(?<![\w/.])((?:configs|tools)/[\w/.-]+\.py)', shown)
    assert len(set(paths)) == 3
    assert all((ROOT / p).exists() for p in paths)
    assert 'prepare_dataset.py cranium /somewhere/raw' in shown


def test_constraints_pin_what_the_readme_says():
    pins = dict(
        line.split('==')
        for line in (ROOT / 'constraints.txt').read_text().splitlines()
        if '==' in line and not line.startswith('#')
    )
    readme = (ROOT / 'README.md').read_text()
    for name in ('mmsegmentation', 'mmengine', 'mmcv', 'openmim'):
        assert f'{name} {pins[name]}' in readme.replace('\n', ' ')
    assert pins['torch'].startswith(re.search(r'torch ([\d.]+\d)', readme).group(1))
