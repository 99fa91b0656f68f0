"""Hooks and loops that MMEngine's runner calls; no mathematics lives here."""

from .hooks import CalibrationHook as CalibrationHook
from .hooks import CaseTableHook as CaseTableHook
from .hooks import ClassBalanceHook as ClassBalanceHook
from .hooks import ClassificationRecordHook as ClassificationRecordHook
from .hooks import LesionFilterHook as LesionFilterHook
from .hooks import NormMomentumHook as NormMomentumHook
from .hooks import ResumableCheckpointHook as ResumableCheckpointHook
from .hooks import ResumableEarlyStoppingHook as ResumableEarlyStoppingHook
from .hooks import RunRecordHook as RunRecordHook
from .hooks import SegmentationDescriptionHook as SegmentationDescriptionHook
from .hooks import SelfDescriptionHook as SelfDescriptionHook
from .hooks import STAMPPruningHook as STAMPPruningHook
from .loops import ResumableEpochLoop as ResumableEpochLoop
from .loops import ResumableIterLoop as ResumableIterLoop
