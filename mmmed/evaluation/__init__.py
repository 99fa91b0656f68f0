"""Metrics that MMEngine's loops call; not here: the maths (``mmmed.functional``)."""

from mmmed.evaluation.metrics import CaseOverlapMetric as CaseOverlapMetric
