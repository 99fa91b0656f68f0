"""What a 3-D training says about feeding scans: its test pipeline and its data set.

Not here: models and slices (``config_recipe``), which put the parts together.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mmmed.inference.recipe import VOLUME_AXES

_STATE_IT = 'state it in the config: inference = dict({})'
_KNOWN = ('LoadVolume', 'WindowVolume', 'NormalizeVolume', 'PackMedVolumes')
_GREYS = (0.0, 255.0)


def read_volume_recipe(
    config: Mapping[str, Any],
    pipeline: Sequence[Mapping[str, Any]],
    dataset_meta: Mapping[str, Any],
    stated: Mapping[str, Any],
) -> dict[str, Any]:
    """Arguments of :class:`~mmmed.inference.recipe.ScanRecipe` for volumes.

    Args:
        config: Resolved config; ``model.test_cfg.flips`` counts.
        pipeline: Test pipeline, steps of ``mmmed.VolumeDataset``.
        dataset_meta: Facts of the data set in the checkpoint: ``orientation``,
            ``spacing_mm`` (what the volumes were resampled to), ``intensity``.
        stated: What the user or the config says already.

    Raises:
        ValueError: Something that decides the result is unknown; the message says
            where to state it.
    """
    steps = {str(step['type']).rpartition('.')[2]: step for step in pipeline}
    values: dict[str, Any] = {'dimension': 3}
    stored = VOLUME_AXES if dataset_meta.get('unit') == 'volume' else None
    orientation = stated.get('orientation', dataset_meta.get('orientation', stored))
    if orientation is None:
        raise ValueError(
            'neither config nor checkpoint says which way volumes are turned; '
            + _STATE_IT.format("orientation='SAR'")
        )
    values['orientation'] = orientation
    spacing = steps.get('LoadVolume', {}).get('spacing')
    spacing = spacing or dataset_meta.get('spacing_mm')
    if spacing is not None:
        values['spacing'] = tuple(spacing)
    if 'intensity' in stated:
        return values
    unknown = sorted(set(steps) - set(_KNOWN))
    if unknown or 'LoadVolume' not in steps:
        raise ValueError(
            f'the test pipeline has {unknown or "no LoadVolume"}, which cannot be '
            'repeated on scans; ' + _STATE_IT.format('intensity=dict(...)')
        )
    return {**values, **_read_scale(steps, dataset_meta.get('intensity') or {})}


def _read_scale(
    steps: Mapping[str, Mapping[str, Any]], rule: Mapping[str, Any]
) -> dict[str, Any]:
    """Intensity rule, and mean and deviation that follow it."""
    window, score = steps.get('WindowVolume'), steps.get('NormalizeVolume')
    scale: dict[str, Any] = {}
    if window is not None:
        low, high = float(window['low']), float(window['high'])
        scale = {'mean': (low,), 'std': (high - low,)}
    is_grey = rule.get('rule', 'stored') != 'stored'
    if (window is not None and score is not None) or (is_grey and score is not None):
        raise ValueError(
            'a z-score after another change of intensity is not what inference can '
            'repeat; ' + _STATE_IT.format('intensity=dict(...)')
        )
    if is_grey:
        # Volumes were stored as greys of the scan's percentiles, 0 to 255.
        if window is not None and (low, high) != _GREYS:
            raise ValueError(
                f'window ({low:g}, {high:g}) of stored greys, expected (0, 255); '
                + _STATE_IT.format('intensity=dict(...)')
            )
        return scale
    if window is not None:
        return {**scale, 'intensity': {'kind': 'clip', 'limits': (low, high)}}
    if score is not None:
        over = score.get('over', 'all')
        return {**scale, 'intensity': {'kind': 'zscore', 'over': over}}
    return {**scale, 'intensity': {'kind': 'stored'}}
