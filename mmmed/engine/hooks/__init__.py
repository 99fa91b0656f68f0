"""Hooks: checkpoints, early stopping, tables, records, what classifiers need."""

from .calibration_hook import CalibrationHook as CalibrationHook
from .case_table_hook import CaseTableHook as CaseTableHook
from .class_balance_hook import ClassBalanceHook as ClassBalanceHook
from .classification_record_hook import (
    ClassificationRecordHook as ClassificationRecordHook,
)
from .lesion_filter_hook import LesionFilterHook as LesionFilterHook
from .norm_momentum_hook import NormMomentumHook as NormMomentumHook
from .pruning_hook import STAMPPruningHook as STAMPPruningHook
from .resumable_checkpoint_hook import (
    ResumableCheckpointHook as ResumableCheckpointHook,
)
from .resumable_early_stopping_hook import (
    ResumableEarlyStoppingHook as ResumableEarlyStoppingHook,
)
from .run_record_hook import RunRecordHook as RunRecordHook
from .segmentation_description_hook import (
    SegmentationDescriptionHook as SegmentationDescriptionHook,
)
from .self_description_hook import SelfDescriptionHook as SelfDescriptionHook
