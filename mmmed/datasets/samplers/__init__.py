"""Samplers: which sample comes next, as a pure function of seed and position."""

from .foreground_sampler import ForegroundSampler as ForegroundSampler
