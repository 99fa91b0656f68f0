"""The published augmentations of spinal cord slices: their steps in order.

The recipes carry the letters of the study that they were taken from, whose pictures
are 224 (A to C) or 320 pixels wide. Not here: what runs them (``slice_augmentation``).
"""

from collections.abc import Mapping
from typing import Any

Step = Mapping[str, Any]


def _step(name: str, prob: float, **options: Any) -> Step:
    return {'type': f'mmmed.{name}', **options, 'prob': prob}


# Windows of 196 of 224 and of 300 of 320 pixels.
_WINDOW_224, _WINDOW_320 = 196 / 224, 300 / 320

_LIGHT = (_step('RandomContrastSlice', 0.5),)
_HEAVY_CLASSES = (
    _step('RandomBlurSlice', 0.2),
    _step('RandomCropResizeSlice', 0.2, share=_WINDOW_224),
    _step('RandomFlipSlice', 0.3),
    _step('RandomContrastSlice', 0.2),
    _step('RandomNoiseSlice', 0.2),
    _step('RandomPoseSlice', 0.1, angle_deg=90.0),
)
_MEDIUM_MASKS = (
    _step('RandomBlurSlice', 0.2),
    _step('RandomCropResizeSlice', 0.2, share=_WINDOW_320),
    _step('RandomFlipSlice', 0.3),
    _step('RandomContrastSlice', 0.2),
    _step('RandomNoiseSlice', 0.2),
    _step('RandomPoseSlice', 0.1, angle_deg=15.0),
)
_HEAVY_MASKS = (
    _step('RandomBlurSlice', 0.1),
    _step('RandomCropResizeSlice', 0.1, share=_WINDOW_320),
    _step('RandomGammaSlice', 0.3),
    _step('RandomContrastSlice', 0.2),
    _step('RandomNoiseSlice', 0.2),
    _step('RandomGainSlice', 0.15),
    _step('RandomElasticSlice', 0.2),
    _step('RandomGridSlice', 0.1),
    _step('RandomLensSlice', 0.1),
    _step('RandomPoseSlice', 0.2, angle_deg=15.0, scale=(0.9, 1.1), shift=0.0625),
    _step('RandomFlipSlice', 0.3),
    _step('RandomDropoutSlice', 0.1),
    _step('RandomBiasSlice', 0.2),
)

# A, B: classes, light and heavy. C: foundation, none. D: the first cord segmentation.
# E: cords and lesions. F: lesions, heavy. A blur that the source lists twice in some
# files of B is listed once; a window is enlarged at once, and not at the end.
RECIPES: Mapping[str, tuple[Step, ...]] = {
    'A': _LIGHT,
    'B': _HEAVY_CLASSES,
    'C': (),
    'D': _LIGHT,
    'E': _MEDIUM_MASKS,
    'F': _HEAVY_MASKS,
}
