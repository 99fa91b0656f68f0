"""Says what of the host is here, which repairs are active, and what to do.

Run ``python -m mmmed.doctor``; the exit code is 2 if something needed is missing.
"""

import importlib
import importlib.metadata
import os
import sys
from dataclasses import dataclass

from packaging.specifiers import SpecifierSet

from mmmed.version import __version__


@dataclass(frozen=True)
class Part:
    """A package that mmmed stands on.

    Attributes:
        module: Import name; the forks of the host share it.
        versions: Versions that are known to work.
        remedy: Command that mends it.
        is_needed: Whether nothing works without it.
    """

    module: str
    versions: str
    remedy: str
    is_needed: bool = True


_SETUP = 'make setup'
PARTS = (
    Part('setuptools', '>=77.0.3,<82', 'pip install "setuptools>=77.0.3,<82"'),
    Part('torch', '>=2.6', _SETUP),
    Part('numpy', '>=1.26', _SETUP),
    Part('cv2', '>=4.5', 'pip install opencv-python-headless'),
    Part('mmengine', '>=0.10.6', _SETUP),
    Part('mmcv', '>=2.0.0rc4', f'{_SETUP} (or {_SETUP} MMCV=full)'),
    Part('mmseg', '>=1.2.2', _SETUP),
    Part('ftfy', '>=6', 'pip install ftfy regex'),
    Part('regex', '', 'pip install ftfy regex'),
    Part('mim', '>=0.3.9', 'pip install -c constraints.txt openmim', is_needed=False),
    Part('nibabel', '>=5', _SETUP),
    Part('PIL', '>=10', _SETUP),
    Part('tensorboard', '', 'pip install tensorboard', is_needed=False),
)


def check_part(part: Part) -> tuple[str, str]:
    """Version found and problem of one part.

    Returns:
        Version ('' if it cannot be imported) and problem ('' if there is none).
    """
    try:
        # The host imports only once its repairs are in place.
        module = importlib.import_module(part.module)
    except Exception as error:  # a broken binary raises anything
        return '', f'does not import ({type(error).__name__}: {error})'
    version = getattr(module, '__version__', '') or _read_version(part.module)
    allowed = SpecifierSet(part.versions, prereleases=True)
    if version and version not in allowed:
        return version, f'untested version, expected {part.versions}'
    return version, ''


def _read_version(module: str) -> str:
    names = importlib.metadata.packages_distributions().get(module, [])
    return importlib.metadata.version(names[0]) if names else ''


def diagnose() -> int:
    """Print the findings; 0 if mmmed can work here, else 2."""
    print(f'mmmed {__version__} on Python {sys.version.split()[0]}\n')
    try:
        from mmmed.compat import install

        repairs = install()
    except Exception as error:
        repairs, failure = {}, f'{type(error).__name__}: {error}'
    else:
        failure = ''
    problems = []
    print('host part    version        state')
    for part in PARTS:
        version, problem = check_part(part)
        print(f'{part.module:<12} {version or "-":<14} {problem or "ok"}')
        if problem:
            problems.append((part, problem))
    print('\nrepair            state')
    for name, state in repairs.items():
        print(f'{name:<17} {state}')
    if failure:
        print(f'repairs failed: {failure}')
    print(f'\ndevices: {_describe_devices()}')
    for part, problem in problems:
        print(f'\n{part.module} {problem}\n  remedy: {part.remedy}')
    is_broken = bool(failure) or any(
        part.is_needed and 'import' in problem for part, problem in problems
    )
    print('\nmmmed cannot work here yet' if is_broken else '\nready')
    return 2 if is_broken else 0


def _describe_devices() -> str:
    try:
        import torch
    except ImportError:
        return 'unknown without torch'
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return ', '.join(gpus) or f'no GPU, {os.cpu_count()} CPU cores'


if __name__ == '__main__':
    sys.exit(diagnose())
