"""ROISample: what is known and predicted of one lesion in several sequences.

Not imported by the package: only rooms that know the host need it.
"""

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.structures import BaseDataElement

MISSING = -1


class ROISample(BaseDataElement):
    """Data sample of a region of interest (ROI) with any number of targets.

    Data fields, each of which may be absent: ``available``, bool tensor (S,): which
    sequences are there; ``gt_targets``: class index of each target by name, -1 where
    nobody knows it; ``pred_logits`` and ``pred_scores``: tensor (K_t,) of each target
    by name, raw and as probabilities. Meta keys: ``case_id``, ``patient_id``,
    ``sequences`` (names, in the order of ``available``), ``size_mm``, ``spacing``,
    ``img_paths``.

    Args:
        metainfo: As in the host.
        **kwargs: Data fields.

    Raises:
        ValueError: A field has another type or shape.

    Example:
        >>> ROISample(gt_targets={'type': 2, 'mvi': -1}).gt_targets['mvi']
        -1
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name == 'available':
            _check_available(value)
        elif name == 'gt_targets':
            value = _read_targets(value)
        elif name in ('pred_scores', 'pred_logits'):
            value = _read_predictions(name, value)
        super().__setattr__(name, value)


def _check_available(value: Any) -> None:
    if not isinstance(value, torch.Tensor) or value.dtype is not torch.bool:
        kind = getattr(value, 'dtype', type(value).__name__)
        raise ValueError(f'available is {kind}, expected a bool tensor (S,)')
    if value.ndim != 1:
        raise ValueError(f'available has shape {tuple(value.shape)}, expected (S,)')


def _read_targets(value: Any) -> dict[str, int]:
    if not isinstance(value, Mapping):
        raise ValueError(f'gt_targets is {type(value).__name__}, expected a mapping')
    targets = {str(name): int(label) for name, label in value.items()}
    wrong = {name: label for name, label in targets.items() if label < MISSING}
    if wrong:
        raise ValueError(
            f'gt_targets has {wrong}, expected class indices >= 0, or {MISSING} where '
            'the label is missing'
        )
    return targets


def _read_predictions(name: str, value: Any) -> dict[str, torch.Tensor]:
    if not isinstance(value, Mapping):
        raise ValueError(f'{name} is {type(value).__name__}, expected a mapping')
    for target, tensor in value.items():
        if not isinstance(tensor, torch.Tensor) or tensor.ndim != 1:
            shape = getattr(tensor, 'shape', type(tensor).__name__)
            raise ValueError(f'{name}[{target!r}] is {shape}, expected a tensor (K,)')
    return dict(value)
