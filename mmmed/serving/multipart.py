"""A multipart form, streamed: its file goes to disk piece by piece, nothing else.

The framework's own parser keeps a second copy in a temporary folder. Not here: what
the file is (``formats``), limits on the request (``guard``).
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from mmmed.serving.errors import ServiceError, refuse_upload

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FILE, _TEXT_BYTES, _FIELDS, _HEADER_BYTES = 'file', 256, 8, 8192
_LABEL_CHARS = 80
_REMEDY = f'Send multipart/form-data with one file in the field "{FILE}".'


@dataclass
class Form:
    """What was sent beside the file itself.

    Args:
        fields: Short text fields.
        label: What the client calls the file, printable, for display only.
        num_bytes: Size of the file.
    """

    fields: dict[str, str] = field(default_factory=dict)
    label: str = ''
    num_bytes: int = 0


async def receive_form(
    stream: AsyncIterator[bytes], content_type: str, target: Path, limit: int
) -> Form:
    """Write the file of a form to a path of ours.

    Args:
        stream: Body of the request.
        content_type: Header of the request.
        target: New file.
        limit: Largest size of the file, in bytes.

    Raises:
        ServiceError: It is no such form, is cut off, or the file is too large.
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get(b'boundary', b'')
    if kind != b'multipart/form-data' or not boundary:
        shown = content_type[:60]
        raise refuse_upload(f'The request is {shown!r}.', _REMEDY, status=415)
    with open(target, 'xb') as file:
        reader = _Reader(file, limit)
        try:
            parser = MultipartParser(boundary, reader.callbacks)
            async for chunk in stream:
                parser.write(chunk)
        except FormParserError as error:
            raise refuse_upload('The form is malformed.', _REMEDY) from error
    if not reader.is_complete:
        raise refuse_upload('The form ends too early or has no file.', _REMEDY)
    return reader.form


class _Reader:
    """What the parser calls."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self.form = Form()
        self._file = file
        self._limit = limit
        self._name = ''
        self._headers: dict[bytes, bytes] = {}
        self._key, self._value, self._text = b'', b'', b''
        self._parts, self._files = 0, 0
        self._has_end = False
        self.callbacks: MultipartCallbacks = {
            'on_part_begin': self._begin,
            'on_header_field': self._add_key,
            'on_header_value': self._add_value,
            'on_header_end': self._end_header,
            'on_headers_finished': self._open,
            'on_part_data': self._add_data,
            'on_part_end': self._close,
            'on_end': self._end,
        }

    @property
    def is_complete(self) -> bool:
        """Whether the form ended as it should and had its file."""
        return self._has_end and self._files == 1

    def _begin(self) -> None:
        self._parts += 1
        self._headers, self._name, self._text = {}, '', b''
        if self._parts > _FIELDS:
            raise refuse_upload(f'The form has more than {_FIELDS} fields.', _REMEDY)

    def _add_key(self, data: bytes, start: int, end: int) -> None:
        self._key += data[start:end]
        self._check_header()

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._check_header()

    def _check_header(self) -> None:
        if len(self._key) + len(self._value) > _HEADER_BYTES:
            raise refuse_upload('A header of the form is too long.', _REMEDY)

    def _end_header(self) -> None:
        self._headers[self._key.lower()] = self._value
        self._key, self._value = b'', b''

    def _open(self) -> None:
        _, options = parse_options_header(
            self._headers.get(b'content-disposition', b'')
        )
        self._name = options.get(b'name', b'').decode(errors='replace')
        if self._name == FILE:
            self._files += 1
            self.form.label = _make_label(options.get(b'filename', b''))
        if self._files > 1:
            raise refuse_upload('The form has several files.', _REMEDY)

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if self._name != FILE:
            self._text += data[start:end]
            if len(self._text) > _TEXT_BYTES:
                raise refuse_upload('A text of the form is too long.', _REMEDY)
            return
        self.form.num_bytes += end - start
        if self.form.num_bytes > self._limit:
            raise too_large(self._limit)
        self._file.write(data[start:end])

    def _close(self) -> None:
        if self._name != FILE:
            self.form.fields[self._name] = self._text.decode(errors='replace')

    def _end(self) -> None:
        self._has_end = True


def too_large(limit: int) -> ServiceError:
    """The error of an upload beyond the limit."""
    return refuse_upload(
        f'The file is larger than {limit / (1 << 20):g} MiB.',
        'Upload a compressed file (.nii.gz, .zip) or a smaller field of view.',
        status=413,
    )


def _make_label(name: bytes) -> str:
    """A name to show: without folders and without what is not printable."""
    text = name.decode(errors='replace').replace('\\', '/').rsplit('/', 1)[-1]
    return ''.join(c for c in text if c.isprintable())[:_LABEL_CHARS]
