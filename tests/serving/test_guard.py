"""What every request has to pass."""

import socket
import time

import httpx
import pytest

from mmmed.serving.limits import Limits

TOKEN = 'correct horse battery'.replace(' ', '-')


@pytest.fixture(scope='module')
def closed(start_service):
    """A service with a token and small limits; nothing works on its jobs."""
    limits = Limits(upload_bytes=1000, stall_s=0.3, queue=2)
    return start_service(limits=limits, token=TOKEN, watch=False)


def bearer(token: str = TOKEN) -> dict[str, str]:
    return {'Authorization': f'Bearer {token}'}


@pytest.mark.parametrize(
    ('headers', 'status'),
    [
        ({}, 401),
        (bearer('wrong'), 401),
        ({'Authorization': f'Basic {TOKEN}'}, 401),
        (bearer('ä'), 401),
        (bearer(), 404),
    ],
)
def test_jobs_need_the_token(closed, headers, status) -> None:
    encoded = {k: v.encode('latin-1') for k, v in headers.items()}
    answer = httpx.get(f'{closed.url}/jobs/{"0" * 32}', headers=encoded)
    assert answer.status_code == status


def test_page_and_health_need_no_token(closed) -> None:
    assert closed.get('/').status_code == 200
    assert closed.get('/static/page.js').status_code == 200
    assert closed.get('/health').json()['needs_token'] is True
    assert closed.get('/openapi.json').status_code == 401


@pytest.mark.parametrize('path', ['/', '/health', '/static/page.css', '/nowhere'])
def test_every_answer_carries_the_security_headers(closed, path) -> None:
    headers = closed.get(path).headers
    assert "default-src 'none'" in headers['content-security-policy']
    assert 'unsafe' not in headers['content-security-policy']
    assert headers['x-content-type-options'] == 'nosniff'
    assert headers['x-frame-options'] == 'DENY'
    assert 'access-control-allow-origin' not in headers
    assert 'server' not in headers


@pytest.mark.parametrize(
    ('site', 'status'),
    [('cross-site', 403), ('same-site', 403), ('same-origin', 404), ('none', 404)],
)
def test_other_sites_change_nothing(closed, site, status) -> None:
    headers = {**bearer(), 'Sec-Fetch-Site': site}
    url = f'{closed.url}/jobs/{"0" * 32}'
    assert httpx.delete(url, headers=headers).status_code == status


def send_raw(service, lines: str) -> bytes:
    """First bytes of the answer to the start of a request."""
    host, port = service.url.removeprefix('http://').split(':')
    with socket.create_connection((host, int(port)), timeout=20) as line:
        request = (
            f'POST /jobs HTTP/1.1\nHost: x\nAuthorization: Bearer {TOKEN}\n{lines}'
        )
        line.sendall(request.replace('\n', '\r\n').encode())
        return line.recv(4096)


@pytest.mark.parametrize('length', ['1099511627776', '-1', '1e3', '9' * 5000])
def test_a_length_beyond_the_limit_is_refused_before_the_body(closed, length) -> None:
    answer = send_raw(closed, f'Content-Length: {length}\n\n')
    assert answer.split()[1] in (b'413', b'400')


def test_a_body_without_length_is_counted(closed) -> None:
    def stream():
        yield b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n'
        for _ in range(100):
            yield bytes(1000)

    headers = {**bearer(), 'Content-Type': 'multipart/form-data; boundary=b'}
    answer = httpx.post(f'{closed.url}/jobs', headers=headers, content=stream())
    assert answer.status_code == 413
    assert not list(closed.desk.store.folder.iterdir())


def test_a_stalled_upload_is_given_up(closed) -> None:
    started = time.monotonic()
    answer = send_raw(
        closed,
        'Content-Type: multipart/form-data; boundary=b\nContent-Length: 500\n\n--b\n',
    )
    assert answer.startswith(b'HTTP/1.1 408')
    assert time.monotonic() - started < 15
    assert not list(closed.desk.store.folder.iterdir())


def test_a_client_that_hangs_up_leaves_nothing(closed) -> None:
    host, port = closed.url.removeprefix('http://').split(':')
    with socket.create_connection((host, int(port)), timeout=20) as line:
        line.sendall(
            f'POST /jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n'
            'Content-Type: multipart/form-data; boundary=b\r\n'
            'Content-Length: 500\r\n\r\n--b\r\n'.encode()
        )
    end = time.monotonic() + 10
    while list(closed.desk.store.folder.iterdir()) and time.monotonic() < end:
        time.sleep(0.05)
    assert not list(closed.desk.store.folder.iterdir())


def test_a_full_queue_says_when_to_come_back(closed, make_bytes) -> None:
    send = {'files': {'file': ('a', make_bytes(1))}, 'headers': bearer()}
    answers = [httpx.post(f'{closed.url}/jobs', **send) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert answers[2].headers['retry-after'] == '60'
    assert [a.json()['queue_place'] for a in answers[:2]] == [0, 1]
    for answer in answers[:2]:
        url = f'{closed.url}/jobs/{answer.json()["job_id"]}'
        assert httpx.delete(url, headers=bearer()).status_code == 204
    assert closed.desk.queue_length == 0
