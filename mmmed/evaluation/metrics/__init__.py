"""Registered metrics, one class a module."""

from .case_overlap_metric import CaseOverlapMetric as CaseOverlapMetric
