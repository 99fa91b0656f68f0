"""JSON from strangers: bounded, strict, and with an error that says what is wrong."""

import json
from pathlib import Path
from typing import Any, NoReturn

_MAX_BYTES = 1 << 30


def load_json(path: str | Path) -> Any:
    """Decoded JSON of a file.

    Args:
        path: An existing file.

    Raises:
        ValueError: Larger than 1 GiB, not UTF-8, not JSON, nested too deeply, or with
            NaN or infinity, which JSON does not have; the file is not named.
    """
    path = Path(path)
    if path.stat().st_size > _MAX_BYTES:
        raise ValueError(f'larger than {_MAX_BYTES} bytes, not a manifest of ours')
    try:
        text = path.read_text(encoding='utf-8')
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError('not a manifest: nested too deeply') from error
    except ValueError as error:  # includes UnicodeDecodeError and JSONDecodeError
        raise ValueError(f'not readable as JSON ({error})') from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f'{name} is not JSON')
