"""Whole classification models: what they are trained on and how they predict."""

from .volume_classifier import VolumeClassifier as VolumeClassifier
