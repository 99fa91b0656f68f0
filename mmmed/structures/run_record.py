"""What has to be known to repeat a run: versions, hashes, seed, hardware, times.

Not here: what the run measured.
"""

import datetime
import importlib.metadata
import os
import platform
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mmmed.files import hash_json, write_json_atomic
from mmmed.version import __version__

# Distributions that can change a number; the forks of the host count too.
_PACKAGES = (
    'torch',
    'numpy',
    'scipy',
    'opencv-python',
    'pillow',
    'mmengine',
    'mmcv',
    'mmcv-lite',
    'mmsegmentation',
    'onedl-mmengine',
    'onedl-mmcv',
    'onedl-mmsegmentation',
)
# Entries of a config that say where and how it ran, not what was computed.
_NOT_HASHED = ('work_dir', 'launcher', 'resume', 'load_from')


@dataclass
class RunRecord:
    """One run, as it is written to ``run.json``.

    Attributes:
        command: Command line, quoted for a shell.
        seed: Seed of the run; None if it was not fixed.
        config_sha256: Hash of the resolved config, without paths of this run.
        manifest_sha256: Hash of the manifest file; None if there is none.
        started: ISO 8601 time with zone.
        finished: The same; None while the run goes on or if it was killed.
        seconds: Wall-clock duration in s; None like ``finished``.
        packages: Installed version per distribution.
        schema_version: Version of this record's form.
    """

    command: str
    seed: int | None
    config_sha256: str | None
    manifest_sha256: str | None
    started: str
    finished: str | None = None
    seconds: float | None = None
    mmmed: str = __version__
    python: str = field(default_factory=platform.python_version)
    platform: str = field(default_factory=platform.platform)
    cpu: str = ''
    device: str = 'cpu'
    world_size: int = 1
    packages: dict[str, str] = field(default_factory=dict)
    schema_version: int = 1

    @classmethod
    def start(
        cls,
        *,
        config: Mapping[str, Any] | None = None,
        manifest_sha256: str | None = None,
        seed: int | None = None,
        world_size: int = 1,
    ) -> 'RunRecord':
        """Record of a run that begins now, on this machine.

        Args:
            config: Resolved config; values that JSON lacks are hashed by name.
            manifest_sha256: Hash of the data's manifest file.
            seed: Seed of the run.
            world_size: Number of processes.
        """
        return cls(
            command=shlex.join(sys.argv),
            seed=seed,
            config_sha256=None if config is None else hash_config(config),
            manifest_sha256=manifest_sha256,
            started=_now().isoformat(timespec='seconds'),
            cpu=f'{_read_cpu_name()} ({os.cpu_count()} logical cores)',
            device=_read_device_name(),
            world_size=world_size,
            packages=_read_versions(),
        )

    def finish(self) -> None:
        """Note the end of the run and its duration."""
        now = _now()
        started = datetime.datetime.fromisoformat(self.started)
        self.finished = now.isoformat(timespec='seconds')
        self.seconds = round((now - started).total_seconds(), 1)

    def write(self, path: str | Path) -> None:
        """Write ``run.json`` atomically."""
        write_json_atomic(path, asdict(self))


def hash_config(config: Mapping[str, Any]) -> str:
    """SHA-256 of a config that does not depend on where the run took place."""
    kept = {k: v for k, v in config.items() if k not in _NOT_HASHED}
    return hash_json(_to_json(kept))


def _to_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _to_json(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(v) for v in value]
    if value is None or isinstance(value, str | int | bool):
        return value
    return repr(value)


def _now() -> datetime.datetime:
    return datetime.datetime.now().astimezone()


def _read_versions() -> dict[str, str]:
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _read_cpu_name() -> str:
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(':')[2].strip() for line in lines if 'model name' in line]
    return names[0] if names else platform.machine()


def _read_device_name() -> str:
    # Not imported for its own sake: preparation runs without torch being loaded.
    torch = sys.modules.get('torch')
    if torch is None or not torch.cuda.is_available():
        return 'cpu'
    return f'{torch.cuda.device_count()} x {torch.cuda.get_device_name()}'
