"""Repairs of the host stack, applied when this module is imported.

``configs/_base_/default_runtime.py`` names this module in ``custom_imports``, which
MMEngine runs before the host's models are imported. Each repair does nothing where
the host needs none, says once that it is active, and can be switched off by naming
it in the environment variable ``MMMED_COMPAT_OFF`` (comma separated):

``ops``
    mmcv without compiled operators can be imported; *calling* one of them raises.
``checkpoint``
    Checkpoints and ``--resume`` work under torch >= 2.6, and no checkpoint can run
    code (see :mod:`mmmed.checkpoint`).
``cpu_distributed``
    ``--launcher pytorch`` works on a machine without a GPU (gloo).
``torchvision``
    torchvision (timm imports it, and the host timm) can be imported where its
    operators are built for another torch, as on CPU machines that got the CUDA wheel.

Not here: anything that a config or a registered class can do.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import os
import re
import sys
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

SWITCH = 'MMMED_COMPAT_OFF'
_OPS_MODULE = 'mmcv._ext'


@dataclass(frozen=True)
class Repair:
    """One repair of the host.

    Attributes:
        name: Word to name in ``MMMED_COMPAT_OFF``.
        reason: What fails without it, in one line.
        is_needed: Whether this machine and host need it.
        apply: Makes the change; called at most once.
    """

    name: str
    reason: str
    is_needed: Callable[[], bool]
    apply: Callable[[], None]


def install() -> dict[str, str]:
    """Apply every repair that is needed and not switched off.

    Calling it again changes nothing.

    Returns:
        State per repair: ``'active'``, ``'off'`` (switched off), ``'not needed'`` or
        ``'unavailable'`` (the host package it mends is not installed).

    Raises:
        ValueError: ``MMMED_COMPAT_OFF`` names a repair that does not exist.
    """
    switched_off = _read_switch()
    for repair in REPAIRS:
        if repair.name in _states:
            continue
        if repair.name in switched_off:
            _states[repair.name] = 'off'
            continue
        try:
            needed = repair.is_needed()
        except ModuleNotFoundError:
            _states[repair.name] = 'unavailable'
            continue
        if needed:
            repair.apply()
            _log(f'mmmed.compat: {repair.name} is active: {repair.reason}')
        _states[repair.name] = 'active' if needed else 'not needed'
    return dict(_states)


def _read_switch() -> set[str]:
    names = {n.strip() for n in os.environ.get(SWITCH, '').split(',')} - {''}
    known = {repair.name for repair in REPAIRS}
    if names - known:
        raise ValueError(
            f'{SWITCH} names unknown repairs {sorted(names - known)}, expected some '
            f'of {sorted(known)}'
        )
    return names


def _log(message: str) -> None:
    if int(os.environ.get('RANK', 0)) == 0:
        from mmengine.logging import print_log

        print_log(message, logger='current')


# --- ops: mmcv-lite has the Python side of mmcv.ops but not the extension ----------


class MissingOpError(RuntimeError):
    """A compiled mmcv operator was called on an mmcv without operators."""


class _MissingOps(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Serve ``mmcv._ext`` as a module whose every function explains itself.

    It is the last finder on ``sys.meta_path``, so a real extension always wins. The
    module has a real spec because MMEngine probes it with ``pkgutil``.
    """

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: types.ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != _OPS_MODULE:
            return None
        return importlib.machinery.ModuleSpec(fullname, self)

    def exec_module(self, module: types.ModuleType) -> None:
        module.__getattr__ = _make_missing_op  # type: ignore[method-assign]


def _make_missing_op(name: str) -> Callable[..., Any]:
    if name.startswith('__'):
        raise AttributeError(name)

    def raise_missing(*args: Any, **kwargs: Any) -> None:
        raise MissingOpError(
            f'mmcv operator {name!r} is not compiled in this environment (mmcv-lite). '
            'Rebuild it with "make setup MMCV=full", or choose a config that does '
            'not use it.'
        )

    return raise_missing


def _needs_ops() -> bool:
    spec = importlib.util.find_spec('mmcv')
    if spec is None:
        raise ModuleNotFoundError('mmcv')
    return importlib.util.find_spec(_OPS_MODULE) is None


def _apply_ops() -> None:
    sys.meta_path.append(_MissingOps())


# --- checkpoint: load what MMEngine writes, and nothing that could run code --------


def _needs_checkpoint() -> bool:
    import mmengine  # noqa: F401

    # Also where a host loads by itself: such hosts fall back to full unpickling.
    return True


def _apply_checkpoint() -> None:
    from mmengine.runner.checkpoint import CheckpointLoader

    from mmmed.checkpoint import load_checkpoint_safely

    # The host prints the loader's name from its eleventh letter on.
    def load_from_local(filename: str, map_location: Any) -> dict[str, Any]:
        return load_checkpoint_safely(filename, map_location)

    CheckpointLoader.register_scheme(prefixes='', loader=load_from_local, force=True)


# --- cpu_distributed: MMEngine asks for CUDA devices whenever it is launched -------


def _needs_cpu_distributed() -> bool:
    from mmengine.device import get_device

    return get_device() == 'cpu'


def _apply_cpu_distributed() -> None:
    import mmengine.dist.utils as host
    import torch.distributed
    from mmengine.model import MMDistributedDataParallel

    def init_gloo(backend: str, init_backend: str = 'torch', **kwargs: Any) -> None:
        torch.distributed.init_process_group(backend='gloo', **kwargs)

    host._init_dist_pytorch = init_gloo

    original = MMDistributedDataParallel.__init__

    @wraps(original)
    def init_on_cpu(self: Any, module: Any, *args: Any, **kwargs: Any) -> None:
        # The runner always passes LOCAL_RANK as CUDA device, which torch refuses
        # for a module that lives on the CPU.
        kwargs['device_ids'] = None
        original(self, module, *args, **kwargs)

    MMDistributedDataParallel.__init__ = init_on_cpu


# --- torchvision: its wheel of the package index needs the CUDA libraries ----------


def _needs_torchvision() -> bool:
    import torch

    for library in sorted(_find_torchvision().glob('_C*')):
        try:
            torch.ops.load_library(str(library))
        except OSError:
            return True
    return not hasattr(torch.ops.torchvision, 'nms')


def _apply_torchvision() -> None:
    import torch

    # Importing it describes these operators to the compiler, which fails where no
    # library has declared them; calling one still raises.
    text = (_find_torchvision() / '_meta_registrations.py').read_text()
    library = torch.library.Library('torchvision', 'DEF')
    for name in sorted(set(re.findall(r'register_fake\("torchvision::(\w+)"', text))):
        library.define(f'{name}(Tensor a, Tensor b, float c) -> Tensor')
    _declared.append(library)


def _find_torchvision() -> Path:
    spec = importlib.util.find_spec('torchvision')
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError('torchvision')
    return Path(spec.origin).parent


# A declaration lives as long as its object.
_declared: list[Any] = []

REPAIRS = (
    Repair(
        'ops',
        'mmcv has no compiled operators; importing works, calling one raises',
        _needs_ops,
        _apply_ops,
    ),
    Repair(
        'checkpoint',
        'checkpoints are loaded without executing code from the file',
        _needs_checkpoint,
        _apply_checkpoint,
    ),
    Repair(
        'cpu_distributed',
        'no GPU found: several processes communicate through gloo on the CPU',
        _needs_cpu_distributed,
        _apply_cpu_distributed,
    ),
    Repair(
        'torchvision',
        'torchvision has no operators for this torch; importing works, calling raises',
        _needs_torchvision,
        _apply_torchvision,
    ),
)
_states: dict[str, str] = {}

install()
