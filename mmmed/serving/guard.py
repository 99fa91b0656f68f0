"""Guard: what every request has to pass before anything else looks at it.

Size and time of bodies, the token, requests that other sites provoke, and the headers
that keep a browser from doing more than the page needs. Not here: routes (``app``).
"""

import asyncio
import hmac
import json
import time
from typing import Any

from mmmed.serving.errors import ServiceError
from mmmed.serving.limits import Limits
from mmmed.serving.multipart import too_large

# Boundaries and headers of a form around its file.
FORM_BYTES = 1 << 16
_OPEN_PATHS = ('/', '/health', '/favicon.ico')
_POLICY = '; '.join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    'Content-Security-Policy': _POLICY,
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
}


class Guard:
    """ASGI middleware around the whole service.

    Args:
        app: What is guarded.
        limits: Bounds.
        token: What clients of ``/jobs`` have to know; empty if everybody may.
    """

    def __init__(self, app: Any, limits: Limits, token: str = '') -> None:
        self._app = app
        self._limits = limits
        self._token = token.encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection."""
        if scope['type'] != 'http':
            await self._app(scope, receive, send)
            return
        guarded = _add_headers(send, scope['path'])
        try:
            headers = dict(scope['headers'])
            self._check_origin(scope['method'], headers)
            self._check_token(scope['path'], headers)
            limit = self._find_limit(scope)
            self._check_length(headers, limit)
        except ServiceError as error:
            await _answer(guarded, error)
            return
        await self._app(scope, _Bounded(receive, limit, self._limits), guarded)

    def _check_origin(self, method: str, headers: dict[bytes, bytes]) -> None:
        """No other web site makes a visitor's browser change anything here."""
        site = headers.get(b'sec-fetch-site', b'none')
        if method not in ('GET', 'HEAD') and site not in (b'none', b'same-origin'):
            raise ServiceError(
                403,
                'cross_site',
                'The request was refused.',
                why='Another web site sent it.',
                remedy='Use the page of this service, or a program.',
            )

    def _check_token(self, path: str, headers: dict[bytes, bytes]) -> None:
        if not self._token or path in _OPEN_PATHS or path.startswith('/static/'):
            return
        kind, _, value = headers.get(b'authorization', b'').partition(b' ')
        is_right = hmac.compare_digest(value.strip(), self._token)
        if kind.lower() != b'bearer' or not is_right:
            raise ServiceError(
                401,
                'no_token',
                'The request was refused.',
                why='It has no token, or a wrong one.',
                remedy='Send the header "Authorization: Bearer TOKEN".',
                headers={'WWW-Authenticate': 'Bearer'},
            )

    def _find_limit(self, scope: Any) -> int:
        if scope['method'] == 'POST' and scope['path'] == '/jobs':
            return self._limits.upload_bytes + FORM_BYTES
        return FORM_BYTES

    def _check_length(self, headers: dict[bytes, bytes], limit: int) -> None:
        length = headers.get(b'content-length', b'0')
        if not length.isdigit() or int(length) > limit:
            raise too_large(limit - FORM_BYTES if limit > FORM_BYTES else limit)


class _Bounded:
    """Body of a request, no longer and no slower than it may be."""

    def __init__(self, receive: Any, limit: int, limits: Limits) -> None:
        self._receive = receive
        self._limit = limit
        self._left = limit
        self._limits = limits
        self._deadline = time.monotonic() + limits.upload_s
        self._is_read = False

    async def __call__(self) -> Any:
        if self._is_read:  # what comes now is the end of the connection
            return await self._receive()
        wait = min(self._limits.stall_s, self._deadline - time.monotonic())
        try:
            message = await asyncio.wait_for(self._receive(), max(wait, 0.001))
        except TimeoutError as error:
            raise ServiceError(
                408,
                'too_slow',
                'The upload was given up.',
                why=f'Nothing came for {self._limits.stall_s:g} s, or it took longer '
                f'than {self._limits.upload_s:g} s.',
                remedy='Try again over a faster connection.',
            ) from error
        self._left -= len(message.get('body', b''))
        self._is_read = not message.get('more_body', False)
        if self._left < 0:
            raise too_large(self._limit - FORM_BYTES)
        return message


def _add_headers(send: Any, path: str) -> Any:
    cache = 'no-cache' if path == '/' or path.startswith('/static/') else 'no-store'
    extra = [
        (name.lower().encode(), value.encode())
        for name, value in {**_HEADERS, 'Cache-Control': cache}.items()
    ]

    async def guarded(message: Any) -> None:
        if message['type'] == 'http.response.start':
            message = {**message, 'headers': [*message.get('headers', ()), *extra]}
        await send(message)

    return guarded


async def _answer(send: Any, error: ServiceError) -> None:
    body = json.dumps({'error': error.to_dict()}).encode()
    headers = [
        (b'content-type', b'application/json'),
        (b'content-length', str(len(body)).encode()),
        (b'connection', b'close'),
        *((k.lower().encode(), v.encode()) for k, v in error.headers.items()),
    ]
    status = error.status
    await send({'type': 'http.response.start', 'status': status, 'headers': headers})
    await send({'type': 'http.response.body', 'body': body})
