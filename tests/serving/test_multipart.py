"""Forms, cut into pieces at every place."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from mmmed.serving.errors import ServiceError
from mmmed.serving.multipart import Form, receive_form

TYPE = 'multipart/form-data; boundary=limit'


def make_part(head: str, content: bytes) -> bytes:
    return b'--limit\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n' % (
        head.encode(),
        content,
    )


FILE = make_part('name="file"; filename="../../a/b\\c.nii"', b'12345\r\n--limi 678')
GOOD = make_part('name="model"', b'other') + FILE + b'--limit--\r\n'


def receive(body: bytes, target, size: int = 7, kind: str = TYPE, limit=100) -> Form:
    async def stream() -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]

    return asyncio.run(receive_form(stream(), kind, target, limit))


@pytest.mark.parametrize('size', [1, 2, 3, 7, 1000])
def test_pieces_of_any_size_give_the_same_file(tmp_path, size) -> None:
    form = receive(GOOD, tmp_path / 'upload', size)
    assert (tmp_path / 'upload').read_bytes() == b'12345\r\n--limi 678'
    assert form == Form({'model': 'other'}, 'c.nii', 17)


@pytest.mark.parametrize(
    ('body', 'status'),
    [
        (b'', 422),
        (GOOD[:-20], 422),
        (b'--limit--\r\n', 422),
        (b'nonsense', 422),
        (make_part('name="model"', b'x') + b'--limit--\r\n', 422),
        (FILE + FILE + b'--limit--\r\n', 422),
        (make_part('name="a"', b'x') * 9 + b'--limit--\r\n', 422),
        (make_part('name="a"', b'x' * 300) + b'--limit--\r\n', 422),
        (make_part('x' * 9000, b'x') + b'--limit--\r\n', 422),
        (make_part('name="file"', b'x' * 101) + b'--limit--\r\n', 413),
    ],
)
def test_bad_forms_are_refused(tmp_path, body, status) -> None:
    with pytest.raises(ServiceError) as info:
        receive(body, tmp_path / 'upload')
    assert info.value.status == status


@pytest.mark.parametrize('kind', ['', 'text/plain', 'multipart/form-data', 'x' * 500])
def test_other_requests_are_refused(tmp_path, kind) -> None:
    with pytest.raises(ServiceError) as info:
        receive(GOOD, tmp_path / 'upload', kind=kind)
    assert info.value.status == 415


def test_labels_are_printable_and_short(tmp_path) -> None:
    part = make_part(f'name="file"; filename="{"ä" * 200}\x07.nii"', b'x')
    form = receive(part + b'--limit--\r\n', tmp_path / 'upload')
    assert form.label == 'ä' * 80
