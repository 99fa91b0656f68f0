"""Checkpoints of slice segmentors that say what they are."""

from collections.abc import Mapping
from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmmed.registry import HOOKS

from .described_data import describe_split, find_parts, read_test_dataset, to_plain

KEY = 'segmentation'
SCHEMA_VERSION = 1
# Four halvings: what slices are padded to where a recipe asks for less.
_LEAST_DIVISOR = 16


@HOOKS.register_module()
class SegmentationDescriptionHook(Hook):
    """Put into every checkpoint what is needed to use it, as plain values.

    ``meta['segmentation']`` has ``task`` (the data set's target, ``'cord'`` or
    ``'lesion'``), ``classes``, the configuration of the ``model`` (of a pruned network
    as it is when the checkpoint is made), ``planes``, ``pixel_mm`` of the slices (that
    of ``mmmed.FitSlice`` in the test pipeline; None for pixels as they are),
    ``size`` (Y, X) that slices without a pixel size are letterboxed into, or None,
    ``size_divisor``, ``intensity`` (the rule by which values were prepared),
    ``dataset_name`` and ``split`` (hash of the assignment of patients, fold).
    """

    priority = 'NORMAL'

    def __init__(self) -> None:
        self._description: dict[str, Any] | None = None

    def before_train(self, runner: Runner) -> None:
        """Collect the description once."""
        self._description = describe_segmentor(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add it."""
        if self._description is None:
            return
        model = _add_architecture(self._description['model'], _find_backbone(runner))
        checkpoint['meta'][KEY] = {**self._description, 'model': model}


def describe_segmentor(runner: Runner) -> dict[str, Any]:
    """Description of the model that a runner trains; see the hook.

    Raises:
        ValueError: The head has another number of classes than the data, or the data
            do not say what their masks show.
    """
    dataset = runner.train_dataloader.dataset
    parts = find_parts(dataset)
    meta = parts[0].metainfo
    classes = list(meta.get('classes') or ())
    task = meta.get('target') or getattr(parts[0], 'target', None)
    if task is None:
        raise ValueError(
            f'{type(parts[0]).__name__} does not say what its masks show; use '
            "mmmed.SpineDataset, or metainfo=dict(target='lesion')"
        )
    model = to_plain(runner.cfg.get('model') or {})
    count = model.get('decode_head', {}).get('num_classes', len(classes))
    if count != len(classes):
        raise ValueError(
            f'the head has {count} classes, and the data {classes}; correct '
            'model.decode_head.num_classes'
        )
    fit = _find_fit(read_test_dataset(runner.cfg))
    pixel_mm, size = fit.get('pixel_mm'), fit.get('size')
    planes = [part.plane for part in parts if getattr(part, 'plane', None)]
    return {
        'schema_version': SCHEMA_VERSION,
        'task': str(task),
        'classes': classes,
        'model': model,
        'planes': list(dict.fromkeys(planes)),
        'pixel_mm': pixel_mm,
        # With a pixel size it only says what is cut away.
        'size': None if pixel_mm is not None or size is None else list(size),
        'size_divisor': _find_divisor(model),
        'intensity': to_plain(meta.get('intensity')),
        'dataset_name': meta.get('dataset'),
        'split': describe_split(dataset),
    }


def _find_fit(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """The step that fits slices; empty if there is none."""
    steps = entry.get('pipeline') or ()
    return next((s for s in steps if s.get('type') == 'mmmed.FitSlice'), {})


def _find_divisor(model: Mapping[str, Any]) -> int:
    parts = (model.get('data_preprocessor'), model.get('test_cfg'))
    asked = [(part or {}).get('size_divisor') or 1 for part in parts]
    return max(_LEAST_DIVISOR, *asked)


def _find_backbone(runner: Runner) -> Any:
    model: Any = runner.model
    return getattr(model.module if is_model_wrapper(model) else model, 'backbone', None)


def _add_architecture(model: dict[str, Any], backbone: Any) -> dict[str, Any]:
    """The configuration with the filters of each layer, where they may be pruned."""
    widths = getattr(backbone, 'architecture', None)
    if not isinstance(widths, Mapping):
        return model
    return {**model, 'backbone': {**model['backbone'], 'architecture': dict(widths)}}
