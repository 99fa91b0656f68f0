"""Axes for values over several orders of magnitude, zero and negative ones included.

Not here: what is drawn on them (``plots``, ``agreement_plots``).
"""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import ArrayLike, NDArray

Scale = Literal['linear', 'log']
# Most ticks of a logarithmic axis that do not touch each other.
_MAX_TICKS = 9


def _keep(values: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(values, float)


def _compress(values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, float)
    return np.sign(array) * np.log1p(np.abs(array))


def _expand(values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, float)
    return np.sign(array) * np.expm1(np.abs(array))


# From value to place on the axis, and back.
Mapping = Callable[[ArrayLike], NDArray[np.float64]]
SCALES: dict[Scale, tuple[Mapping, Mapping]] = {
    'linear': (_keep, _keep),
    'log': (_compress, _expand),
}


def set_scale(axis: Any, scale: Scale, limits: tuple[float, float]) -> None:
    """Scale, limits with a margin, and round ticks of one axis.

    Args:
        axis: ``axes.xaxis`` or ``axes.yaxis`` of matplotlib.
        scale: ``'log'`` is linear near zero and logarithmic beyond one.
        limits: Least and greatest value shown.
    """
    forward, backward = SCALES[scale]
    low, high = forward(np.array(limits)).tolist()
    margin = 0.03 * (high - low)
    axes, name = axis.axes, axis.axis_name
    if scale == 'log':
        use = getattr(axes, f'set_{name}scale')
        use('function', functions=(forward, backward))
        axis.set_major_locator(FixedLocator(list_ticks(limits)))
        # A formula would be needed for powers; plain numbers need none.
        axis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:,g}'))
        axis.set_minor_locator(NullLocator())
    bounds = backward(np.array([low - margin, high + margin])).tolist()
    getattr(axes, f'set_{name}lim')(*bounds)


def list_ticks(limits: tuple[float, float]) -> list[float]:
    """Round numbers between two limits for a logarithmic axis, zero included."""
    greatest = max(map(abs, limits))
    decades = range(-1, int(np.ceil(np.log10(max(greatest, 1)))) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        # Below one the axis is nearly linear: a half is as good as it gets.
        steps = [f * 10.0**d for d in decades for f in factors if f * 10**d >= 0.5]
        ticks = [-step for step in reversed(steps)] + [0.0, *steps]
        shown = [tick for tick in ticks if limits[0] <= tick <= limits[1]]
        if len(shown) <= _MAX_TICKS:
            break
    return shown
