"""A recipe from what a training left behind: config, checkpoint, built model.

Whatever cannot be known is refused with the place where to state it; nothing is
guessed. Not here: files (``loading``).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from mmmed.functional.planes import get_plane_axis
from mmmed.inference.intensity import Intensity
from mmmed.inference.recipe import (
    PICTURE_PLANES,
    VOLUME_AXES,
    VOLUME_PLANES,
    ScanRecipe,
    list_offsets,
)
from mmmed.inference.volume_recipe import read_volume_recipe

_PACKING = ('PackMedInputs', 'PackSegInputs')
# Transforms that read a case, and the size that they fit slices into by default.
_LOADING = {'LoadSlice': (512, 512), 'LoadVolumeSlice': None}
_AXES = {'horizontal': (-1,), 'vertical': (-2,), 'diagonal': (-2, -1)}
_STATE_IT = 'state it in the config: inference = dict({})'


def derive_recipe(
    config: Mapping[str, Any],
    dataset_meta: Mapping[str, Any],
    model: nn.Module,
    changes: Mapping[str, Any] | None = None,
) -> ScanRecipe:
    """How to feed scans to a model as its test pipeline fed images.

    Later sources win: the model (``test_cfg``, preprocessor, head), the data set's
    facts that training stored in the checkpoint (classes, windows in HU or
    ``intensity``, plane), the test data set (``plane``, ``neighbors``) and its pipeline
    (``LoadSlice.size``), ``config['inference']``, ``changes``.

    Args:
        config: Resolved config. Its optional entry ``inference`` holds arguments of
            :class:`ScanRecipe`, with ``intensity`` as a dict; a 3-D model other than
            ``mmmed.VolumeSegmentor`` needs it.
        dataset_meta: ``meta['dataset_meta']`` of the checkpoint.
        model: Built from ``config['model']``.
        changes: Arguments of :class:`ScanRecipe` that the user gave.

    Raises:
        ValueError: Something that decides the result is unknown; the message says
            where to state it.
    """
    stated = {**config.get('inference', {}), **(changes or {})}
    parts = config.get('model', {})
    # A model of whole volumes has a network where the host's have a backbone.
    backbone = parts.get('backbone') or parts.get('network') or {}
    is_volume = 'network' in parts
    values: dict[str, Any] = {
        'dimension': stated.get('dimension', 3 if is_volume else 2)
    }
    values.update(_read_model(model))
    if 'in_channels' in backbone:
        values['in_channels'] = backbone['in_channels']
    if values['dimension'] == 2:
        values.update(_read_pipeline(config, is_needed='size' not in stated))
        values['flips'] = _read_flips(config)
        values.update(_read_slices(config, dataset_meta))
    elif is_volume:
        pipeline = _find_pipeline(config)
        values.update(read_volume_recipe(config, pipeline, dataset_meta, stated))
    elif 'orientation' not in stated:
        raise ValueError(
            'the config does not say which way volumes are turned; '
            + _STATE_IT.format("orientation='SAR'")
        )
    values['classes'] = dataset_meta.get('classes')
    if 'intensity' not in stated and 'intensity' not in values:
        values['intensity'] = _read_intensity(dataset_meta)
        if values['intensity']['kind'] == 'percentile':
            values['intensity']['whole'] = not is_volume and _loads_bytes(config)
    values.update(stated)
    if not values['classes']:
        raise ValueError(
            'the checkpoint does not name the classes; '
            + _STATE_IT.format("classes=['background', ...]")
        )
    if 'in_channels' not in values:
        values['in_channels'] = _count_channels(config, dataset_meta, values)
    values.setdefault('out_channels', len(values['classes']))
    return ScanRecipe.from_dict(values)


def _read_model(model: nn.Module) -> dict[str, Any]:
    """What a built segmentor knows of itself."""
    values: dict[str, Any] = {}
    head = getattr(model, 'decode_head', None)
    if head is not None:
        values['out_channels'] = int(head.out_channels)
        # None: a head of K channels has no threshold.
        values['threshold'] = float(getattr(head, 'threshold', None) or 0.5)
    values['align_corners'] = bool(getattr(model, 'align_corners', False))
    values.update(_read_preprocessor(getattr(model, 'data_preprocessor', None)))
    values.update(_read_test_cfg(getattr(model, 'test_cfg', None) or {}))
    return values


def _read_preprocessor(preprocessor: Any) -> dict[str, Any]:
    if preprocessor is None:
        return {}
    if getattr(preprocessor, 'channel_conversion', False):
        raise ValueError(
            'data_preprocessor reverses the channels (bgr_to_rgb), which scans have '
            'not; set bgr_to_rgb=False in the config'
        )
    values: dict[str, Any] = {'pad_value': float(getattr(preprocessor, 'pad_val', 0))}
    # Attributes exist only if the preprocessor was told to normalise.
    if getattr(preprocessor, 'mean', None) is not None:
        values['mean'] = tuple(preprocessor.mean.flatten().tolist())
        values['std'] = tuple(preprocessor.std.flatten().tolist())
    return values


def _read_test_cfg(test_cfg: Mapping[str, Any]) -> dict[str, Any]:
    if test_cfg.get('mode') == 'slide':
        values = {name: tuple(test_cfg[name]) for name in ('crop_size', 'stride')}
        if 'flips' in test_cfg:  # of volumes; slices have them in tta_pipeline
            values['flips'] = tuple(tuple(axes) for axes in test_cfg['flips'])
        # The host's own segmentor counts all windows alike.
        return {**values, 'window_weight': test_cfg.get('window_weight', 'constant')}
    return {'size_divisor': int(test_cfg.get('size_divisor', 1))}


def _read_pipeline(config: Mapping[str, Any], *, is_needed: bool) -> dict[str, Any]:
    """Size of slices in the test pipeline."""
    steps = _find_pipeline(config)
    unknown = [
        step['type'] for step in steps if _bare(step) not in (*_LOADING, *_PACKING)
    ]
    if is_needed and (unknown or not steps):
        raise ValueError(
            f'the test pipeline has {unknown or "no steps"}, which cannot be repeated '
            'on scans; ' + _STATE_IT.format('size=(Y, X), intensity=dict(...)')
        )
    for step in steps:
        if _bare(step) in _LOADING:
            size = step.get('size', _LOADING[_bare(step)])
            return {'size': None if size is None else tuple(size)}
    return {}


def _find_pipeline(config: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return _find_dataset(config).get('pipeline') or config.get('test_pipeline', ())


def _find_dataset(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The data set that the model is tested on; empty if there is none."""
    for name in ('test_dataloader', 'val_dataloader'):
        dataset = (config.get(name) or {}).get('dataset') or {}
        while 'dataset' in dataset:  # a wrapper of the host's
            dataset = dataset['dataset']
        if dataset.get('pipeline'):
            return dataset
    return {}


def _read_flips(config: Mapping[str, Any]) -> tuple[tuple[int, ...], ...]:
    """Mirrored views of ``tta_pipeline``."""
    flips = []
    for step in config.get('tta_pipeline', ()):
        views = step.get('transforms', ()) if _bare(step) == 'TestTimeAug' else ()
        for view in (v for choices in views for v in choices):
            if _bare(view) == 'RandomFlipSlice' and view.get('prob') == 1.0:
                flips.append(_AXES[view.get('direction', 'horizontal')])
    return tuple(dict.fromkeys(flips))


def _read_slices(
    config: Mapping[str, Any], dataset_meta: Mapping[str, Any]
) -> dict[str, Any]:
    """How the data set's slices lie (axial if nobody says), which go together."""
    dataset = _find_dataset(config)
    plane = dataset.get('plane') or dataset_meta.get('plane', 'axial')
    get_plane_axis(plane)
    # Slices of volumes, also those exported as pictures, say how the arrays lay.
    stored = dataset_meta.get('orientation')
    if stored is None and dataset_meta.get('unit') == 'volume':
        stored = VOLUME_AXES
    if stored not in (None, VOLUME_AXES):
        raise ValueError(
            f'trained on slices of {stored!r} volumes, expected {VOLUME_AXES!r}; '
            'prepare the data again'
        )
    planes = PICTURE_PLANES if stored is None else VOLUME_PLANES
    return {'orientation': planes[plane], 'neighbors': dataset.get('neighbors', 0)}


def _read_intensity(dataset_meta: Mapping[str, Any]) -> dict[str, Any]:
    rule = dataset_meta.get('intensity')
    if rule:
        return _read_rule(rule)
    windows = dataset_meta.get('window_hu')
    if not windows:
        raise ValueError(
            'neither config nor checkpoint says how values of a scan become those '
            'that the model was trained on; for CT give --window-level and '
            '--window-width, or '
            + _STATE_IT.format("intensity=dict(kind='stored' | 'zscore' | 'clip')")
        )
    names = dataset_meta.get('channel_names') or list(windows)
    return {'kind': 'window', 'windows_hu': [windows[name] for name in names]}


def _read_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    """The rule by which volumes were prepared, as arguments of ``Intensity``."""
    names = ('low', 'high', 'nonzero', 'bits')
    if rule.get('rule') != 'percentile' or not all(name in rule for name in names):
        raise ValueError(
            f'the data set was prepared with intensity {dict(rule)}, expected '
            f"rule 'percentile' with {', '.join(names)}; "
            + _STATE_IT.format("intensity=dict(kind='stored' | 'zscore' | 'clip')")
        )
    return {
        'kind': 'percentile',
        'percentiles': (rule['low'], rule['high']),
        'over': 'nonzero' if rule['nonzero'] else 'all',
        'bits': rule['bits'],
    }


def _loads_bytes(config: Mapping[str, Any]) -> bool:
    """Whether the test pipeline rounds volumes of 16 bits to 8."""
    steps = [s for s in _find_pipeline(config) if _bare(s) == 'LoadVolumeSlice']
    return all(step.get('dtype', 'uint8') == 'uint8' for step in steps)


def _count_channels(
    config: Mapping[str, Any],
    dataset_meta: Mapping[str, Any],
    values: Mapping[str, Any],
) -> int:
    intensity = values['intensity']
    if not isinstance(intensity, Intensity):
        intensity = Intensity.from_dict(intensity)
    sequences = _find_dataset(config).get('sequences') or ()
    stored = len(sequences) or int(dataset_meta.get('channels', 1))
    base = intensity.num_channels or stored
    return base * len(list_offsets(values.get('neighbors', 0)))


def _bare(step: Mapping[str, Any]) -> str:
    return str(step.get('type')).rpartition('.')[2]
