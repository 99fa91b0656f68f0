"""Checkpoints that survive a kill at any moment."""

import os
from pathlib import Path

from mmengine.dist import barrier, is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from mmmed.files import write_bytes_atomic, write_text_atomic
from mmmed.registry import HOOKS

_BACKEND = 'mmmed_atomic'


class AtomicLocalBackend(LocalBackend):
    """MMEngine's local files, written whole or not at all."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file; a reader sees the old content or the new.

        Args:
            obj: Whole content.
            filepath: Target file.
        """
        write_bytes_atomic(filepath, obj)


register_backend(_BACKEND, AtomicLocalBackend, force=True)


@HOOKS.register_module()
class ResumableCheckpointHook(CheckpointHook):
    """MMEngine's ``CheckpointHook``, safe against a kill while it writes.

    Files are written atomically; with ``max_keep_ckpts`` the oldest file goes only
    after the newest is complete (the host removes it first, so a kill in between
    leaves nothing); and a pointer ``last_checkpoint`` that was lost or points to
    nothing is mended before a run resumes (the host would silently start anew). What
    schedulers keep is plain values: the host's ``OneCycleLR`` keeps a method too, and
    its checkpoints would be refused by a loader that runs no code.

    Args:
        **kwargs: As for ``mmengine.hooks.CheckpointHook``; ``max_keep_ckpts`` counts
            regular checkpoints, the best one is kept besides.
    """

    def __init__(self, **kwargs) -> None:
        kwargs.setdefault('backend_args', {'backend': _BACKEND})
        super().__init__(**kwargs)

    def before_run(self, runner: Runner) -> None:
        """Point ``last_checkpoint`` to the newest complete file, if it is wrong."""
        if is_main_process() and runner._resume and runner._load_from is None:
            self._mend_pointer(Path(runner.work_dir), runner)
        barrier()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Leave methods out of the states; a scheduler makes them anew."""
        found = checkpoint.get('param_schedulers') or []
        groups = found.values() if isinstance(found, dict) else [found]
        for state in (state for group in groups for state in group):
            for name in [name for name, value in state.items() if callable(value)]:
                del state[name]

    def _mend_pointer(self, folder: Path, runner: Runner) -> None:
        pointer = folder / 'last_checkpoint'
        target = pointer.read_text().strip() if pointer.is_file() else ''
        if target and Path(target).is_file():
            return
        newest = max(
            folder.glob(self.filename_tmpl.format('*')), key=_read_step, default=None
        )
        if newest is not None:
            runner.logger.warning(
                f'{pointer} was lost or points to nothing, resuming from {newest.name}'
            )
            write_text_atomic(pointer, str(newest))

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        keep: int = self.max_keep_ckpts  # type: ignore[has-type]
        self.max_keep_ckpts = -1  # the host would remove before it writes
        try:
            super()._save_checkpoint_with_step(runner, step, meta)
        finally:
            self.max_keep_ckpts = keep
        if keep <= 0 or not is_main_process():
            return
        folder = Path(self.out_dir)
        files = sorted(folder.glob(self.filename_tmpl.format('*')), key=_read_step)
        # A run restarted in an old folder may find later steps; they are stale.
        for stale in [f for f in files if _read_step(f) <= step][:-keep]:
            os.remove(stale)


def _read_step(path: Path) -> int:
    digits = path.stem.rpartition('_')[2]
    return int(digits) if digits.isdecimal() else -1
