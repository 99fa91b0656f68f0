"""Writes ``run.json`` beside what a training produces."""

from pathlib import Path

from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmmed.files import hash_file
from mmmed.registry import HOOKS
from mmmed.structures.run_record import RunRecord

from .described_data import find_manifest


@HOOKS.register_module()
class RunRecordHook(Hook):
    """Record versions, hashes, seed, hardware and times of a training.

    ``<work_dir>/run.json`` is written when training starts, so that it exists for a
    run that was killed, and again when it ends.
    """

    priority = 'VERY_LOW'

    def before_train(self, runner: Runner) -> None:
        """Write the record of a run that has begun."""
        if is_main_process():
            self.record = start_record(runner, runner.train_dataloader.dataset)
            self.record.write(Path(runner.work_dir) / 'run.json')

    def after_train(self, runner: Runner) -> None:
        """Add end and duration."""
        if is_main_process():
            self.record.finish()
            self.record.write(Path(runner.work_dir) / 'run.json')


def start_record(runner: Runner, dataset: object) -> RunRecord:
    """Record of what ``runner`` starts now on ``dataset``.

    Args:
        runner: Its config and seed are recorded.
        dataset: The hash of its manifest is recorded if it has one.
    """
    manifest = find_manifest(dataset)
    return RunRecord.start(
        config=runner.cfg.to_dict(),
        manifest_sha256=hash_file(manifest) if manifest else None,
        seed=runner.seed,
        world_size=get_world_size(),
    )
