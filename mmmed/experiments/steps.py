"""Steps of an experiment's transforms to ours; see ``slice_recipes`` of the datasets.

Not here: where the steps stand in a pipeline (``data``).
"""

from collections.abc import Callable
from typing import Any

from mmmed.experiments.section import Section, simplify_name

Step = dict[str, Any]
# What packers and preprocessors do anyhow, whoever asks for it.
COVERED = (
    'togray', 'grayscale', 'loadsegmentationlabel', 'onehotencoding', 'labelencoding',
    'argmax', 'totensorv2', 'totensor', 'toimage', 'topuretensor', 'tofloat', 'todtype',
    'convertimagedtype', 'softmax', 'sigmoid',
)  # fmt: skip


def convert_step(name: str, params: Section, side: int | None) -> Step | None:
    """A random step of ours.

    Args:
        name: Of the experiment, e.g. ``'alb.GaussNoise'``.
        params: Its parameters; what is not read is reported.
        side: Pixels a side that pictures have there; None unknown.

    Returns:
        Config of a transform; None if we have none.

    Raises:
        ValueError: A parameter is impossible.
    """
    build = _STEPS.get(simplify_name(name.split('.')[-1]))
    if build is None:
        return None
    # always_apply is the older way to say p=1.
    prob = params.take_number('p', 0.5, high=1)
    if params.take('always_apply', False) is True:
        prob = 1.0
    for ignored in ('interpolation', 'mask_value', 'value', 'border_mode'):
        if ignored in params:
            _check_default(params, ignored)
    step = build(params, side)
    return {**step, 'prob': prob}


def take_range(
    params: Section, name: str, default: Any, *, center: float = 0.0
) -> tuple[float, float]:
    """A range; one number means as much to either side of the center."""
    value = params.take(name, default)
    if isinstance(value, list | tuple) and len(value) == 2:
        low, high = value
    else:
        low, high = value, None
    try:
        first = float(low)
        last = float(high) if high is not None else None
    except (TypeError, ValueError):
        raise ValueError(
            f'{params.path(name)}: {value!r}, expected a number or two'
        ) from None
    if last is None:
        return center - abs(first), center + abs(first)
    return first, last


def _check_default(params: Section, name: str) -> None:
    value = params.take(name)
    usual = {
        'interpolation': (1, 'bilinear', 'linear', None),
        'border_mode': (4, None),
    }.get(name, (0, None))
    if value not in usual:
        params.report.note(
            params.path(name), f'{value!r}: here bilinear, and mirrored at the borders'
        )


def _blur(params: Section, side: int | None) -> Step:
    limit = take_range(params, 'blur_limit', [3, 7])
    largest = max(3, int(limit[1]))
    return {'type': 'mmmed.RandomBlurSlice', 'limit': largest - (largest % 2 == 0)}


def _crop(params: Section, side: int | None) -> Step:
    height = params.take_number('height', low=1, whole=True)
    width = params.take_number('width', low=1, whole=True)
    whole = side or max(height, width)
    share = min(1.0, (height + width) / 2 / whole)
    if side is None:
        params.report.unmatched(
            params.key, 'the size of pictures is not known; set share of this step'
        )
    if height != width:
        params.report.note(
            params.key, f'{height} x {width} of {whole}: one share of both sides here'
        )
    return {'type': 'mmmed.RandomCropResizeSlice', 'share': share}


def _flip(direction: str) -> Callable[[Section, int | None], Step]:
    return lambda params, side: {
        'type': 'mmmed.RandomFlipSlice',
        'direction': direction,
    }


def _contrast(params: Section, side: int | None) -> Step:
    if params.take('brightness_by_max', True) is False:
        params.report.note(params.key, 'brightness is a share of white here')
    return {
        'type': 'mmmed.RandomContrastSlice',
        'contrast': take_range(params, 'contrast_limit', 0.2),
        'brightness': take_range(params, 'brightness_limit', 0.2),
    }


def _gamma(params: Section, side: int | None) -> Step:
    low, high = take_range(params, 'gamma_limit', [80, 120])
    return {'type': 'mmmed.RandomGammaSlice', 'gamma': (low / 100, high / 100)}


def _noise(params: Section, side: int | None) -> Step:
    value = take_range(params, 'var_limit', [10.0, 50.0])
    if params.take_number('mean', 0) != 0:
        params.report.unmatched(params.path('mean'), 'noise has mean 0 here')
    params.skip('per_channel')
    return {
        'type': 'mmmed.RandomNoiseSlice',
        'variance': (max(0.0, value[0]), value[1]),
    }


def _gain(params: Section, side: int | None) -> Step:
    params.skip('per_channel')
    return {
        'type': 'mmmed.RandomGainSlice',
        'gain': take_range(params, 'multiplier', [0.9, 1.1]),
        'elementwise': bool(params.take('elementwise', False)),
    }


def _elastic(params: Section, side: int | None) -> Step:
    for name in ('alpha_affine', 'approximate', 'same_dxdy'):
        if params.take(name):
            params.report.note(params.path(name), 'without effect here')
    return {
        'type': 'mmmed.RandomElasticSlice',
        'alpha': float(params.take_number('alpha', 1)),
        'sigma': float(params.take_number('sigma', 50, low=0.1)),
    }


def _grid(params: Section, side: int | None) -> Step:
    if params.take('normalized'):
        params.report.note(params.path('normalized'), 'bands are not rescaled here')
    limits = take_range(params, 'distort_limit', 0.3)
    return {
        'type': 'mmmed.RandomGridSlice',
        'steps': params.take_number('num_steps', 5, low=1, high=1000, whole=True),
        'limit': max(abs(limits[0]), abs(limits[1])),
    }


def _lens(params: Section, side: int | None) -> Step:
    limits = take_range(params, 'distort_limit', 0.05)
    shifts = take_range(params, 'shift_limit', 0.05)
    return {
        'type': 'mmmed.RandomLensSlice',
        'limit': max(abs(limits[0]), abs(limits[1])),
        'shift_px': max(abs(shifts[0]), abs(shifts[1])),
    }


def _pose(params: Section, side: int | None) -> Step:
    angles = take_range(params, 'rotate_limit', 45)
    shifts = take_range(params, 'shift_limit', 0.0625)
    low, high = take_range(params, 'scale_limit', 0.1)
    return {
        'type': 'mmmed.RandomPoseSlice',
        'angle_deg': max(abs(angles[0]), abs(angles[1])),
        'scale': (1 + low, 1 + high),
        'shift': max(abs(shifts[0]), abs(shifts[1])),
    }


def _turn(params: Section, side: int | None) -> Step:
    params.skip('crop_border')
    angles = take_range(params, 'limit', 90)
    return {
        'type': 'mmmed.RandomPoseSlice',
        'angle_deg': max(abs(angles[0]), abs(angles[1])),
    }


def _dropout(params: Section, side: int | None) -> Step:
    most = params.take_number('max_holes', 8, low=0, high=1000, whole=True)
    largest = params.take_number('max_height', 8, low=0, high=1e4)
    widest = params.take_number('max_width', largest, low=0, high=1e4)
    fewest = params.take_number('min_holes', most, low=0, high=1000, whole=True)
    smallest = params.take_number('min_height', largest, low=0, high=1e4)
    narrowest = params.take_number('min_width', smallest, low=0, high=1e4)
    sides = [_to_pixels(n, side) for n in (smallest, narrowest, largest, widest)]
    if params.take('mask_fill_value') is not None:
        params.report.note(params.key, 'label maps stay as they are under holes')
    return {
        'type': 'mmmed.RandomDropoutSlice',
        'holes': (fewest, most),
        'size_px': (min(sides[:2]), max(sides[2:])),
        'fill': float(params.take_number('fill_value', 0, high=255)),
    }


def _to_pixels(length: float, side: int | None) -> int:
    """Pixels of a length, which is a share of the side below 1."""
    return max(1, round(length * (side or 320) if 0 < length < 1 else length))


def _bias(params: Section, side: int | None) -> Step:
    params.report.mended(
        params.key, 'the field changes along both axes, with random signs'
    )
    name = next(
        (n for n in ('coefficients', 'coeff_range', 'coef_range') if n in params),
        'coefficients',
    )
    low, high = take_range(params, name, [0.3, 0.7])
    return {
        'type': 'mmmed.RandomBiasSlice',
        'coefficients': (abs(low), abs(high)),
        'order': params.take_number('order', 3, low=1, high=8, whole=True),
    }


_STEPS: dict[str, Callable[[Section, int | None], Step]] = {
    'blur': _blur,
    'randomcrop': _crop,
    'horizontalflip': _flip('horizontal'),
    'randomhorizontalflip': _flip('horizontal'),
    'verticalflip': _flip('vertical'),
    'randomverticalflip': _flip('vertical'),
    'randombrightnesscontrast': _contrast,
    'randomgamma': _gamma,
    'gaussnoise': _noise,
    'multiplicativenoise': _gain,
    'elastictransform': _elastic,
    'griddistortion': _grid,
    'opticaldistortion': _lens,
    'shiftscalerotate': _pose,
    'rotate': _turn,
    'coarsedropout': _dropout,
    'custombiasfield': _bias,
}
