"""The command line, in a process of its own, with real tiny networks."""

import json
import re
import signal
import subprocess
import sys
import time

import httpx
import numpy as np
import pytest

from mmmed.io import read_volume
from mmmed.serving.command import main

SERVE = [sys.executable, '-m', 'mmmed.serve']


@pytest.fixture
def model(networks) -> str:
    return f'tiny={networks.config}:{networks.weights["axial"]}'


def read_line(process, pattern: str) -> str:
    for line in process.stderr:
        if found := re.search(pattern, line):
            return found.group(1)
    raise AssertionError(f'no {pattern}')


@pytest.mark.slow
def test_once_segments_a_folder_by_fusion(
    networks, scan_bytes, scan, tmp_path, capsys
) -> None:
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data' / 'good.nii.gz').write_bytes(scan_bytes['.nii.gz'])
    call = [
        *SERVE, '--fusion', f'planes={networks.fusion}', '--once', '--json',
        '--data', str(tmp_path / 'data'), '--results', str(tmp_path / 'results'),
    ]  # fmt: skip
    result = subprocess.run(call, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    counts = json.loads(result.stdout.splitlines()[-1])
    assert counts == {'done': 1, 'failed': 0, 'skipped': 0, 'unsettled': 0}
    mask = read_volume(tmp_path / 'results' / 'good' / 'mask.nii.gz')
    assert (
        np.abs(mask.grid - read_volume(tmp_path / 'data/good.nii.gz').grid).max() == 0
    )
    report = json.loads((tmp_path / 'results' / 'good' / 'report.json').read_text())
    assert report['model']['name'] == 'planes'
    assert report['classes']['lesion']['voxels'] == int(mask.array.sum()) > 0
    (tmp_path / 'data' / 'bad.nii').write_bytes(b'nothing')
    assert main(call[len(SERVE) :]) == 3  # this process has imported all it needs
    counts = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (counts['skipped'], counts['failed']) == (1, 1)


@pytest.mark.slow
def test_a_service_serves_watches_and_stops(model, scan_bytes, tmp_path) -> None:
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data' / 'case7.nii.gz').write_bytes(scan_bytes['.nii.gz'])
    call = [
        *SERVE, '--model', model, '--host', '127.0.0.1', '--port', '0',
        '--jobs', str(tmp_path / 'jobs'), '--data', str(tmp_path / 'data'),
        '--results', str(tmp_path / 'results'),
    ]  # fmt: skip
    with subprocess.Popen(call, stderr=subprocess.PIPE, text=True) as process:
        try:
            url = read_line(process, r'listening at (\S+)')
            read_line(process, r'(ready: tiny)')
            files = {'file': ('scan.mha', scan_bytes['.mha'])}
            job = httpx.post(f'{url}/jobs', files=files).json()
            end = time.monotonic() + 240
            while job['state'] != 'done' and time.monotonic() < end:
                time.sleep(0.1)
                job = httpx.get(f'{url}/jobs/{job["job_id"]}').json()
            assert job['state'] == 'done'
            voxels = job['report']['classes']['lesion']['voxels']
            watched = tmp_path / 'results' / 'case7' / 'report.json'
            while not watched.exists() and time.monotonic() < end:
                time.sleep(0.1)
            report = json.loads(watched.read_text())
            assert report['classes']['lesion']['voxels'] == voxels > 0
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(30)
    assert code == 0


@pytest.mark.slow
def test_a_model_that_cannot_be_loaded_ends_the_service(networks, tmp_path) -> None:
    (tmp_path / 'broken.pth').write_bytes(b'no checkpoint')
    call = [
        *SERVE, '--model', f'a={networks.config}:{tmp_path}/broken.pth',
        '--host', '127.0.0.1', '--port', '0', '--jobs', str(tmp_path / 'jobs'),
    ]  # fmt: skip
    result = subprocess.run(call, capture_output=True, text=True, timeout=300)
    assert result.returncode == 2
    assert 'broken.pth' in result.stderr
    assert 'Traceback' not in result.stderr


@pytest.mark.parametrize(
    ('more', 'message'),
    [
        ([], 'no model given'),
        (['--model', 'a=absent.py:absent.pth'], 'absent.py does not exist'),
        (['--fusion', 'absent.json'], 'absent.json does not exist'),
        (['--model', 'MODEL', '--once'], '--once needs'),
        (['--model', 'MODEL', '--data', '.'], '--data and --results'),
        (['--model', 'MODEL', '--data', 'x', '--results', 'y'], 'x is no folder'),
        (['--model', 'MODEL', '--data', '.', '--results', '.'], 'another folder'),
        (['--model', 'MODEL', '--max-upload-mib', '0'], 'upload_bytes'),
        (['--model', 'MODEL', '--workers', '0'], '--workers 0'),
        (['--model', 'MODEL', '--token-file', 'short'], 'has 5 characters'),
    ],
)
def test_wrong_calls_are_told(
    model, more, message, tmp_path, monkeypatch, caplog
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'short').write_text('12345\n')
    assert main([model if word == 'MODEL' else word for word in more]) == 2
    assert message in caplog.text


def test_a_port_that_is_taken_is_told(model, tmp_path, caplog) -> None:
    import socket

    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = str(taken.getsockname()[1])
        call = ['--model', model, '--host', '127.0.0.1', '--port', port]
        assert main([*call, '--jobs', str(tmp_path)]) == 2
    assert 'in use' in caplog.text
