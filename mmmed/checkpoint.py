"""Loading checkpoints without letting the file run code.

MMEngine's checkpoints hold, besides tensors, training histories that pickle to
references to ``numpy`` and to ``getattr``. Adding these to torch's allow-list would
open the door they are meant to close. Instead each name is answered by a stand-in
of ours that accepts exactly what MMEngine writes; everything else is refused.
"""

import io
import pickle
import re
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmmed.files import write_bytes_atomic

_METHODS = ('min', 'max', 'current', 'mean')
_DTYPE_CODE = re.compile(r'[<>|=]?([biu][1248]|f[248]|b1)')


def load_checkpoint_safely(
    filename: str | Path, map_location: Any = None
) -> dict[str, Any]:
    """Read a checkpoint that MMEngine or ``torch.save`` wrote, without executing it.

    Args:
        filename: Local file; ``~`` is expanded.
        map_location: As for :func:`torch.load`.

    Returns:
        What the file holds; histories come back as MMEngine's ``HistoryBuffer``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged, or asks for anything beyond tensors, plain
            Python values and MMEngine's histories. The message names the offending
            globals and the way to convert a file one trusts.

    Source:
        torch.serialization, ``weights_only`` loading; HistoryBuffer of mmengine 0.10.
    """
    path = Path(filename).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'checkpoint {path} does not exist')
    try:
        with torch.serialization.safe_globals(list(_STAND_INS)):
            loaded = torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(_explain_refusal(path, error)) from None
    except (RuntimeError, EOFError, OSError) as error:
        raise ValueError(
            f'checkpoint {path} cannot be read: {error}. It is damaged or cut short; '
            'take an earlier checkpoint of the run, or copy the file again.'
        ) from error
    return _resolve(loaded)


def convert_trusted_checkpoint(legacy: str | Path, out: str | Path) -> list[str]:
    """Rewrite a file whose author one trusts so that it loads without trust.

    This is the only place of mmmed that unpickles without restriction. Of the file's
    top-level entries those are kept that need none: weights, optimizer, histories.

    Args:
        legacy: Checkpoint that :func:`load_checkpoint_safely` refuses.
        out: File to write, atomically.

    Returns:
        Names of the top-level entries that had to be dropped.

    Raises:
        FileNotFoundError: ``legacy`` does not exist.
        ValueError: It is no dictionary, or nothing in it can be kept.
    """
    path = Path(legacy).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'checkpoint {path} does not exist')
    content = torch.load(path, map_location='cpu', weights_only=False)
    if not isinstance(content, dict):
        raise ValueError(f'{path} holds a {type(content).__name__}, expected a dict')
    kept = {key: value for key, value in content.items() if _is_safe(value)}
    if not kept:
        raise ValueError(f'{path} holds nothing that loads without running code')
    write_bytes_atomic(out, _to_bytes(kept))
    return [str(key) for key in content if key not in kept]


def _to_bytes(value: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


def _is_safe(value: Any) -> bool:
    try:
        with torch.serialization.safe_globals(list(_STAND_INS)):
            torch.load(io.BytesIO(_to_bytes(value)), weights_only=True)
    except Exception:  # whatever fails to save or to load is not safe to keep
        return False
    return True


def _explain_refusal(path: Path, error: Exception) -> str:
    answered = {name for _, name in _STAND_INS}
    try:
        asked = set(torch.serialization.get_unsafe_globals_in_checkpoint(path))
        names = ', '.join(sorted(asked - answered))
    except Exception:  # legacy or damaged files cannot be listed
        names = ''
    # torch wraps its own reason in general advice on how to weaken the check.
    text = re.split('WeightsUnpickler error:|Please file an issue', str(error))[-1]
    asked_for = re.search(r'GLOBAL (\S+)', str(error))
    names = names or (asked_for.group(1) if asked_for else '')
    reason = f'it asks for {names}' if names else text.strip().split('\n')[0]
    return (
        f'checkpoint {path} is refused: {reason}. Loading it could run code from the '
        'file. If you trust whoever made it, convert it once with "python '
        'tools/convert_checkpoint.py OLD NEW --trust" and load NEW.'
    )


class _Dtype:
    """Answers for ``numpy.dtype``; numbers and booleans only."""

    def __init__(self, code: str, align: bool = False, copy: bool = True) -> None:
        if not isinstance(code, str) or not _DTYPE_CODE.fullmatch(code):
            raise pickle.UnpicklingError(f'numpy.dtype({code!r}) is not a number type')
        self.value = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if len(state) < 2 or state[1] not in ('<', '>', '|', '='):
            raise pickle.UnpicklingError('numpy.dtype has an unexpected state')
        self.value = self.value.newbyteorder(state[1])


class _Array:
    """Answers for ``numpy.ndarray``; holds an array while it is being read."""

    value = np.zeros(0)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, is_fortran, raw = state
        if not isinstance(dtype, _Dtype) or not isinstance(raw, bytes):
            raise pickle.UnpicklingError('numpy.ndarray has an unexpected state')
        # frombuffer and reshape raise if shape and byte count disagree, so a file
        # can never make us allocate more than it holds.
        flat = np.frombuffer(raw, dtype.value)
        self.value = flat.reshape(shape, order='F' if is_fortran else 'C').copy()


def _reconstruct(subtype: Any, shape: Any, code: Any) -> _Array:
    if subtype is not _Array:
        raise pickle.UnpicklingError('only plain numpy.ndarray can be reconstructed')
    return _Array()


def _scalar(dtype: Any, raw: Any = b'') -> Any:
    if not isinstance(dtype, _Dtype) or not isinstance(raw, bytes):
        raise pickle.UnpicklingError('numpy scalar has an unexpected form')
    return np.frombuffer(raw, dtype.value, count=1)[0]


def _empty_bytes() -> bytes:
    # The way pickle writes the content of an array of size 0.
    return b''


class _History:
    """Answers for MMEngine's ``HistoryBuffer``; keeps its two arrays."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(
            {k: state[k] for k in ('max_length', '_log_history', '_count_history')}
        )


def _getattr(owner: Any, name: str) -> None:
    # HistoryBuffer pickles references to its own statistics methods. They are set
    # anew when the real object is built, so nothing needs to be returned.
    if owner is not _History or name not in _METHODS:
        raise pickle.UnpicklingError(
            f'getattr is only answered for {_METHODS} of HistoryBuffer, got {name!r}'
        )


def _resolve(value: Any) -> Any:
    """Replace stand-ins by what they stand for, throughout plain containers."""
    if isinstance(value, _Array):
        return value.value
    if isinstance(value, _Dtype):
        return value.value
    if isinstance(value, _History):
        return _build_history(value)
    if isinstance(value, OrderedDict) and hasattr(value, '_metadata'):
        return value  # a state_dict: tensors only, and its metadata must survive
    if isinstance(value, dict):
        return type(value)((k, _resolve(v)) for k, v in value.items())
    if isinstance(value, list | tuple):
        return type(value)(_resolve(v) for v in value)
    return value


def _build_history(history: _History) -> Any:
    from mmengine.logging import HistoryBuffer

    state = history.__dict__
    return HistoryBuffer(
        _resolve(state['_log_history']),
        _resolve(state['_count_history']),
        state['max_length'],
    )


_STAND_INS: tuple[tuple[Any, str], ...] = (
    (_History, 'mmengine.logging.history_buffer.HistoryBuffer'),
    (_getattr, 'builtins.getattr'),
    (_empty_bytes, 'builtins.bytes'),
    (_Dtype, 'numpy.dtype'),
    (_Array, 'numpy.ndarray'),
    # numpy 2 renamed the module; files keep the name of the numpy that wrote them.
    (_reconstruct, 'numpy._core.multiarray._reconstruct'),
    (_reconstruct, 'numpy.core.multiarray._reconstruct'),
    (_scalar, 'numpy._core.multiarray.scalar'),
    (_scalar, 'numpy.core.multiarray.scalar'),
)
