"""Small predictors that a worker process of the tests can import."""

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mmmed.serving.predictor import Segmentation
from mmmed.structures import Volume


class ThresholdPredictor:
    """Lesion where the scan exceeds 100; three values ask for trouble."""

    classes = ('background', 'lesion')

    def __init__(self, pause_s: float = 0.0) -> None:
        self.pause_s = pause_s

    def describe(self) -> Mapping[str, Any]:
        return {'threshold': 100}

    def predict(
        self, volume: Volume, on_progress: Callable[[float], None]
    ) -> Segmentation:
        array = volume.array if volume.array.ndim == 3 else volume.array[0]
        if array.max() == 66:
            os._exit(66)  # as the kernel's out-of-memory killer would
        if array.max() == 77:
            raise RuntimeError('a bug')
        if array.max() == 88:
            time.sleep(3600)
        for step in range(5):
            on_progress(step / 5)
            time.sleep(self.pause_s / 5)
        mask = (array > 100).astype(np.uint8)
        return Segmentation(volume.replace_array(mask), ('Made by a threshold.',))


def build() -> Mapping[str, Any]:
    return {'threshold': ThresholdPredictor()}


def build_slow() -> Mapping[str, Any]:
    return {'threshold': ThresholdPredictor(pause_s=0.5)}


def build_two() -> Mapping[str, Any]:
    return {'threshold': ThresholdPredictor(), 'other': ThresholdPredictor()}


def build_broken() -> Mapping[str, Any]:
    raise ValueError('weights.pth is damaged')
