"""Samplers: which sample comes next, as a pure function of seed and position."""

from .distribution_batch_sampler import (
    DistributionBatchSampler as DistributionBatchSampler,
)
from .foreground_sampler import ForegroundSampler as ForegroundSampler
from .weighted_class_sampler import WeightedClassSampler as WeightedClassSampler
