"""Registered metrics, one class a module."""

from .case_overlap_metric import CaseOverlapMetric as CaseOverlapMetric
from .classification_metric import ClassificationMetric as ClassificationMetric
from .lesion_metric import LesionMetric as LesionMetric
from .surface_metric import SurfaceMetric as SurfaceMetric
