"""Temperatures and thresholds: fitted on validation, used in tests."""

from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmmed.files import write_json_atomic
from mmmed.registry import HOOKS
from mmmed.structures.json_file import load_json

FILE_NAME = 'calibration.json'


@HOOKS.register_module()
class CalibrationHook(Hook):
    """Keep what ``mmmed.ClassificationMetric`` fits on every validation.

    ``<work_dir>/calibration.json`` names, for every iteration after which the model was
    validated, the temperature and the thresholds of each target. A test takes those of
    the iteration at which its checkpoint was made: from validation cases, never from
    its own.
    """

    # Before the checkpoints of the same validation.
    priority = 'NORMAL'

    def __init__(self) -> None:
        self._entries: dict[str, Any] = {}
        self._iteration: int | None = None

    def before_train(self, runner: Runner) -> None:
        """Take up the entries up to the checkpoint from which the run goes on."""
        path = Path(runner.work_dir) / FILE_NAME
        if runner.iter and path.is_file():
            found = load_json(path)['by_iteration']
            self._entries = {k: v for k, v in found.items() if int(k) <= runner.iter}

    def after_val_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        """Write the entry of this validation."""
        for metric in runner.val_loop.evaluator.metrics:
            fitted = getattr(metric, 'fitted', None)
            if fitted:
                self._entries[str(runner.iter)] = fitted
        if self._entries and is_main_process():
            write_json_atomic(
                Path(runner.work_dir) / FILE_NAME,
                {'schema_version': 1, 'by_iteration': self._entries},
            )

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Remember when the checkpoint was made."""
        meta = checkpoint.get('meta') or {}
        self._iteration = meta.get('iter')

    def before_test_epoch(self, runner: Runner) -> None:
        """Hand the entry of the checkpoint to the metrics."""
        metrics = [
            metric
            for metric in runner.test_loop.evaluator.metrics
            if hasattr(metric, 'calibration')
        ]
        if not metrics:
            return
        entry = self._find_entry(runner)
        if entry is None:
            runner.logger.warning(
                'no calibration was fitted for this checkpoint: probabilities stay as '
                'they are, and no threshold was chosen'
            )
        for metric in metrics:
            metric.calibration = entry or {}

    def _find_entry(self, runner: Runner) -> dict[str, Any] | None:
        folders = [Path(runner.work_dir)]
        if runner._load_from:
            folders.insert(0, Path(runner._load_from).parent)
        for folder in folders:
            path = folder / FILE_NAME
            if path.is_file():
                entry = load_json(path)['by_iteration'].get(str(self._iteration))
                if entry is not None:
                    return dict(entry)
        return None
