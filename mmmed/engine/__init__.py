"""Hooks and loops that MMEngine's runner calls; no mathematics lives here."""

from .hooks import CaseTableHook as CaseTableHook
from .hooks import NormMomentumHook as NormMomentumHook
from .hooks import ResumableCheckpointHook as ResumableCheckpointHook
from .hooks import ResumableEarlyStoppingHook as ResumableEarlyStoppingHook
from .hooks import RunRecordHook as RunRecordHook
from .loops import ResumableIterLoop as ResumableIterLoop
