"""Hooks: checkpoints that survive a kill, early stopping, tables, run records."""

from .case_table_hook import CaseTableHook as CaseTableHook
from .norm_momentum_hook import NormMomentumHook as NormMomentumHook
from .resumable_checkpoint_hook import (
    ResumableCheckpointHook as ResumableCheckpointHook,
)
from .resumable_early_stopping_hook import (
    ResumableEarlyStoppingHook as ResumableEarlyStoppingHook,
)
from .run_record_hook import RunRecordHook as RunRecordHook
