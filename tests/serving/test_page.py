"""The page: its files, and what a browser makes of it."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mmmed.files import hash_file
from mmmed.serving.app import STATIC

OURS = [p for p in STATIC.iterdir() if p.is_file()]
BROWSER_S = 400


class Links(HTMLParser):
    """Every address and every inline piece of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.inline: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        facts = dict(attrs)
        self.addresses += [facts[k] for k in ('src', 'href') if k in facts]
        self.ids += [facts['id']] if 'id' in facts else []
        self.inline += [k for k in facts if k.startswith('on') or k == 'style']
        if tag == 'style' or (tag == 'script' and 'src' not in facts):
            self.inline.append(tag)


@pytest.fixture(scope='module')
def links() -> Links:
    parser = Links()
    parser.feed((STATIC / 'index.html').read_text())
    return parser


@pytest.mark.parametrize('path', OURS, ids=lambda p: p.name)
def test_our_files_name_no_other_site(path) -> None:
    assert not re.search(r'(https?:)?//\w+\.\w', path.read_text())


def test_everything_the_page_loads_is_served(links, service) -> None:
    assert links.addresses
    for address in links.addresses:
        assert address.startswith('/')
        answer = service.get(address)
        assert answer.status_code == 200, address
    kinds = {
        '/static/page.js': 'text/javascript',
        '/static/viewer.js': 'text/javascript',
        '/static/house.css': 'text/css',
    }
    for address, kind in kinds.items():
        assert service.get(address).headers['content-type'].startswith(kind)


def test_nothing_is_inline_so_that_the_policy_can_be_strict(links) -> None:
    assert links.inline == []
    assert len(links.ids) == len(set(links.ids))


def test_scripts_use_only_elements_that_exist(links) -> None:
    script = (STATIC / 'page.js').read_text()
    used = set(re.findall(r"\$\('([\w-]+)'\)", script))
    assert used <= set(links.ids)
    assert 'innerHTML' not in script  # what a service says is text
    assert 'eval(' not in script


def test_the_viewer_is_the_one_that_was_released() -> None:
    vendor = STATIC / 'vendor'
    facts = json.loads((vendor / 'VENDOR.json').read_text())
    assert hash_file(vendor / facts['file']) == facts['sha256']
    assert (vendor / facts['file']).stat().st_size == facts['bytes']
    assert 'BSD 2-Clause License' in (vendor / facts['licence_file']).read_text()


def run_browser(url: str, folder: Path) -> tuple[str, list[str]]:
    """The page as it is after a while, and every address that was asked for."""
    browser = shutil.which('chromium') or shutil.which('google-chrome')
    if browser is None:
        pytest.skip('no browser: install chromium to test the page')
    log = folder / 'net.json'
    call = [
        browser, '--headless', '--no-sandbox', '--disable-quic', '--no-first-run',
        '--disable-background-networking', '--disable-component-update',
        '--disable-sync', '--disable-extensions', '--ignore-gpu-blocklist',
        # A browser has errands of its own; none of them leaves this machine.
        '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1', '--no-proxy-server',
        '--use-angle=swiftshader', '--enable-unsafe-swiftshader',
        f'--user-data-dir={folder / "profile"}', f'--log-net-log={log}',
        '--window-size=500,600', '--virtual-time-budget=15000', '--dump-dom', url,
    ]  # fmt: skip
    result = subprocess.run(call, capture_output=True, text=True, timeout=BROWSER_S)
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout, list(read_requests(log, url))


def read_requests(log: Path, url: str) -> Iterator[str]:
    """Addresses that the page asked for; what a browser asks for itself is not it.

    One line holds one event; the last is cut where the browser is quick to leave.
    """
    origin = url.split('/?')[0]
    for line in log.read_text().splitlines():
        try:
            event = json.loads(line.rstrip(', '))
        except ValueError:
            continue
        facts = event.get('params') if isinstance(event, dict) else None
        if isinstance(facts, dict) and facts.get('initiator') == origin:
            yield facts['url']


@pytest.mark.slow
def test_a_browser_shows_scan_mask_and_lesions(service, scan_bytes, tmp_path) -> None:
    job = service.segment(scan_bytes['.nii.gz'])
    page, asked = run_browser(f'{service.url}/?job={job["job_id"]}', tmp_path)
    assert 'data-viewer="ready"' in page, page[-3000:]
    assert '<canvas id="viewer"' in page
    table = page[page.index('<table id="lesions"') : page.index('</table>')]
    rows = re.findall(r'<tr tabindex="0".*?</tr>', table, re.DOTALL)
    assert [re.findall(r'<t[dh][^>]*>([^<]*)', row)[:4] for row in rows] == [
        ['1', 'lesion', '0.068', '24'],  # 24 x 2.8125 mm3
        ['2', 'lesion', '0.011', '4'],
    ]
    assert '>0.08 ml<' in page
    assert 'Not for clinical use' in page
    assert 'Made by a threshold.' in page
    place = ', '.join(
        f'{mm:.1f}' for mm in job['report']['lesions'][0]['center_ras_mm']
    )
    assert place in table
    asked_for = [one for one in asked if not one.startswith(('blob:', 'data:'))]
    assert f'{service.url}/jobs/{job["job_id"]}/mask' in asked_for
    assert all(one.startswith(service.url) for one in asked_for), asked_for


@pytest.mark.slow
def test_a_browser_shows_why_a_job_failed(service, make_bytes, tmp_path) -> None:
    job = service.segment(make_bytes(77))
    page, _ = run_browser(f'{service.url}/?job={job["job_id"]}', tmp_path)
    problem = page[page.index('id="problem"') :][:600]
    assert 'The scan could not be segmented.' in problem
    assert 'Report this to whoever runs the service.' in problem
