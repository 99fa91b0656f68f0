"""What every epoch of a classifier's training brought, as files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmmed.files import write_csv_atomic, write_json_atomic
from mmmed.registry import HOOKS
from mmmed.structures.json_file import load_json

FOLDER = 'records'


@HOOKS.register_module()
class ClassificationRecordHook(Hook):
    """Write ``<work_dir>/records/``: losses, accuracies and predictions by epoch.

    ``epochs.json`` and ``epochs.csv`` have a row for each epoch of training (means over
    its iterations) and for each validation (all metrics), told apart by ``phase``;
    trainings by iterations have one per validation. ``predictions/val_<iteration>.csv``
    has the predictions of each validation. A resumed run goes on where its checkpoint
    was made. TensorBoard gets the same numbers from the host.

    Args:
        save_predictions: Whether to write the predictions.
    """

    priority = 'LOW'

    def __init__(self, save_predictions: bool = True) -> None:
        self.save_predictions = save_predictions
        self._rows: list[dict[str, Any]] = []
        self._sums: dict[str, torch.Tensor] = {}
        self._counts: dict[str, int] = {}

    def before_train(self, runner: Runner) -> None:
        """Take up the rows up to the checkpoint from which the run goes on."""
        path = Path(runner.work_dir) / FOLDER / 'epochs.json'
        if runner.iter and path.is_file():
            rows = load_json(path)['rows']
            self._rows = [row for row in rows if row['iteration'] <= runner.iter]

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Add the losses of an iteration; they stay on their device."""
        for name, value in (outputs or {}).items():
            if isinstance(value, torch.Tensor):
                total = self._sums.get(name, 0)
                self._sums[name] = total + value.detach().double()
                self._counts[name] = self._counts.get(name, 0) + 1

    def after_train_epoch(self, runner: Runner) -> None:
        """A row of training."""
        # The loops count an epoch as done after this, and an iteration before.
        self._add_training(runner, runner.epoch + 1)

    def before_val_epoch(self, runner: Runner) -> None:
        """A row of training, where it goes by iterations."""
        self._add_training(runner, runner.epoch)

    def after_val_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        """A row of validation, and the predictions."""
        values = {name: float(value) for name, value in (metrics or {}).items()}
        self._add(runner, 'val', runner.epoch, values)
        rows = find_case_rows(runner.val_loop.evaluator.metrics)
        if self.save_predictions and rows and is_main_process():
            folder = Path(runner.work_dir) / FOLDER / 'predictions'
            write_csv_atomic(folder / f'val_{runner.iter:07d}.csv', rows)

    def _add_training(self, runner: Runner, epoch: int) -> None:
        if not self._sums:
            return
        values = {n: float(v) / self._counts[n] for n, v in self._sums.items()}
        self._sums, self._counts = {}, {}
        self._add(runner, 'train', epoch, values)

    def _add(
        self, runner: Runner, phase: str, epoch: int, values: dict[str, float]
    ) -> None:
        clean = {n: None if v != v or abs(v) == float('inf') else v
                 for n, v in values.items()}  # fmt: skip
        place = {'phase': phase, 'epoch': epoch, 'iteration': runner.iter}
        self._rows.append(place | clean)
        if is_main_process():
            folder = Path(runner.work_dir) / FOLDER
            rows = {'schema_version': 1, 'rows': self._rows}
            write_json_atomic(folder / 'epochs.json', rows)
            write_csv_atomic(folder / 'epochs.csv', self._rows)


def find_case_rows(metrics: Sequence[Any]) -> list[dict[str, Any]]:
    """Rows of the cases of the first metric that has any."""
    for metric in metrics:
        rows = getattr(metric, 'tables', {}).get('cases')
        if rows:
            return list(rows)
    return []
