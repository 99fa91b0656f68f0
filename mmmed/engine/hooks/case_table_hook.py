"""Keeps what a test run found: per-case tables, predicted masks, run record."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmmed.files import hash_file, write_csv_atomic, write_json_atomic
from mmmed.registry import HOOKS

from .case_mask import write_case_mask
from .case_table_join import join_metrics
from .described_data import find_manifest, find_split_hash
from .run_record_hook import start_record


@HOOKS.register_module()
class CaseTableHook(Hook):
    """Write ``<work_dir>/evaluation/<split>/`` after a test.

    The folder holds one CSV per table of the metrics (``cases.csv``,
    ``patients.csv``), ``summary.json``, ``run.json`` and the predicted label maps
    ``pred/<case_id>.png`` at the size of the original image, or ``.nii.gz`` of a volume
    with its affine. Reports are made from this folder alone. It takes every metric
    that has ``tables`` and ``summary``, and joins those of several metrics:
    ``cases.csv`` has the columns of all.

    Args:
        save_masks: Whether to write the predicted label maps.
    """

    priority = 'LOW'

    def __init__(self, save_masks: bool = True) -> None:
        self.save_masks = save_masks

    def before_test(self, runner: Runner) -> None:
        """Start the record and name the folder after the tested split."""
        dataset = runner.test_dataloader.dataset
        name = getattr(dataset, 'split_name', 'test')
        self.folder = Path(runner.work_dir) / 'evaluation' / name
        self.record = start_record(runner, dataset)

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[Any] | None = None,
    ) -> None:
        """Write the masks of one batch."""
        if not self.save_masks:
            return
        for sample in outputs or ():
            labels = sample.pred_sem_seg.data.cpu().numpy()
            write_case_mask(self.folder / 'pred', labels, sample.metainfo)

    def after_test_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        """Write tables, summary and run record."""
        if not is_main_process():
            return
        tables, summary = join_metrics(runner.test_loop.evaluator.metrics)
        for name, rows in tables.items():
            write_csv_atomic(self.folder / f'{name}.csv', rows)
        write_json_atomic(
            self.folder / 'summary.json',
            {
                'schema_version': 1,
                **describe_data(runner.test_dataloader.dataset, self.folder),
                'metrics': {k: _to_number(v) for k, v in (metrics or {}).items()},
                'summary': summary,
            },
        )
        self.record.finish()
        self.record.write(self.folder / 'run.json')


def describe_data(dataset: Any, folder: Path) -> dict[str, Any]:
    """Which data was tested, with the path relative to the evaluation folder.

    Args:
        dataset: Tested dataset.
        folder: Evaluation folder.
    """
    manifest = find_manifest(dataset)
    root = getattr(dataset, 'data_root', None)
    return {
        'dataset': dataset.metainfo.get('dataset', type(dataset).__name__),
        'classes': list(dataset.metainfo.get('classes', ())),
        'split': getattr(dataset, 'split', None),
        'fold': getattr(dataset, 'fold', None),
        'data_root': os.path.relpath(root, folder) if root else None,
        'manifest': manifest.name if manifest else None,
        'manifest_hash': hash_file(manifest) if manifest else None,
        # The same assignment of patients, whatever else the manifest says.
        'split_hash': find_split_hash(dataset),
    }


def _to_number(value: Any) -> float | None:
    number = float(value)
    return number if number == number else None
