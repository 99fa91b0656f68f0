"""What a slice segmentor's checkpoint says about itself, read without trusting it.

Not here: classifiers (``mmmed.inference.classifier_config``), building the model.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmmed.functional.planes import PLANES
from mmmed.inference.classifier_config import KEY as CLASSIFIER_KEY
from mmmed.inference.classifier_config import check_parts, parse_entry, sanitize
from mmmed.inference.intensity import Intensity

KEY = 'segmentation'
SCHEMA_VERSION = 1
TASKS = ('cord', 'lesion')
# Parts of the host that our recipes use; they neither load nor call anything.
_HOST_PARTS = (
    'SegDataPreProcessor', 'UNet', 'BN', 'IN', 'GN', 'SyncBN', 'ReLU', 'LeakyReLU',
    'InterpConv', 'DeconvModule', 'CrossEntropyLoss', 'DiceLoss',
)  # fmt: skip
_LARGEST_DIVISOR = 256
_LARGEST_SIDE = 4096


@dataclass(frozen=True)
class SegmentationDescription:
    """Entry ``meta['segmentation']`` of a checkpoint.

    Args:
        task: ``'cord'`` or ``'lesion'``.
        classes: Names; the first is the background.
        model: Configuration of the model.
        planes: Planes of the slices of the training.
        pixel_mm: Pixel size in mm of the network's grid; None for that of the series.
        size_divisor: Sides of inputs are multiples of this.
        intensity: From values of a series to 0 to 255.
        dataset_name: Name of the data set of the training.
        split: ``split_hash`` and ``fold`` of the training.
        size: Shape (Y, X) that slices without a pixel size were letterboxed into;
            None for slices as large as they are.
    """

    task: str
    classes: tuple[str, ...]
    model: Mapping[str, Any]
    planes: tuple[str, ...]
    pixel_mm: float | None
    size_divisor: int
    intensity: Intensity
    dataset_name: str | None
    split: Mapping[str, Any]
    size: tuple[int, int] | None = None


def read_segmentation(
    checkpoint: Mapping[str, Any], path: str | Path
) -> SegmentationDescription:
    """Description of a loaded checkpoint.

    Args:
        checkpoint: As ``load_checkpoint_safely`` gives it.
        path: For messages.

    Raises:
        ValueError: It has none, it is damaged, or it names a part that is not ours.
    """
    meta = checkpoint.get('meta')
    other = isinstance(meta, Mapping) and CLASSIFIER_KEY in meta
    missing = (
        ('is a classifier' if other else 'does not describe a segmentation')
        + '; train a segmentor with '
        "dict(type='mmmed.SegmentationDescriptionHook') in custom_hooks"
    )
    return parse_entry(checkpoint, path, KEY, SCHEMA_VERSION, _read_entry, missing)


def _read_entry(entry: Mapping[str, Any]) -> SegmentationDescription:
    from mmmed.registry import MODELS

    model = sanitize(entry['model'])
    check_parts(_hide_host_parts(model), MODELS)
    classes = tuple(str(name) for name in entry['classes'])
    if entry['task'] not in TASKS or len(classes) != 2:
        raise ValueError(
            f'task {entry["task"]!r} with classes {list(classes)}, expected one of '
            f'{TASKS} with two classes, the background first'
        )
    planes = tuple(str(plane) for plane in entry.get('planes') or PLANES)
    if not set(planes) <= set(PLANES):
        raise ValueError(f'planes are {list(planes)}, expected some of {list(PLANES)}')
    pixel_mm = entry.get('pixel_mm')
    if pixel_mm is not None and not 0 < float(pixel_mm) < math.inf:
        raise ValueError(f'pixel_mm is {pixel_mm}, expected mm > 0 or None')
    divisor = int(entry.get('size_divisor', 16))
    if not 1 <= divisor <= _LARGEST_DIVISOR:
        raise ValueError(f'size_divisor is {divisor}, expected 1 to {_LARGEST_DIVISOR}')
    return SegmentationDescription(
        task=str(entry['task']),
        classes=classes,
        model=model,
        planes=planes,
        pixel_mm=None if pixel_mm is None else float(pixel_mm),
        size_divisor=divisor,
        intensity=read_intensity_rule(entry['intensity']),
        dataset_name=entry.get('dataset_name'),
        split=dict(entry.get('split') or {}),
        size=_read_size(entry.get('size')) if pixel_mm is None else None,
    )


def read_intensity_rule(rule: Mapping[str, Any]) -> Intensity:
    """The rule by which volumes were prepared, to apply it to a series.

    Args:
        rule: As the manifest of prepared volumes has it.

    Raises:
        ValueError: It is no rule of percentiles.
    """
    if rule.get('rule') != 'percentile':
        raise ValueError(f'intensity is {dict(rule)}, expected the rule "percentile"')
    return Intensity(
        kind='percentile',
        percentiles=(float(rule['low']), float(rule['high'])),
        over='nonzero' if rule.get('nonzero', True) else 'all',
        bits=int(rule.get('bits', 16)),
        whole=False,
    )


def _read_size(value: Any) -> tuple[int, int] | None:
    if value is None:
        return None
    size = tuple(int(side) for side in value)
    if len(size) != 2 or not all(1 <= side <= _LARGEST_SIDE for side in size):
        raise ValueError(f'size is {value}, expected (Y, X) of at most {_LARGEST_SIDE}')
    return size[0], size[1]


def _hide_host_parts(value: Any) -> Any:
    """A copy in which the host's parts of the list above have no type."""
    if isinstance(value, Mapping):
        hidden = value.get('type') in _HOST_PARTS
        return {
            key: _hide_host_parts(item)
            for key, item in value.items()
            if not (hidden and key == 'type')
        }
    if isinstance(value, list | tuple):
        return [_hide_host_parts(item) for item in value]
    return value
