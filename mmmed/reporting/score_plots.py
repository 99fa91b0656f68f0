"""Plots of a page about scores: which numbers are drawn, and under which title.

Not here: drawing (``mmmed.visualization``), the page (``score_page``).
"""

import math
from collections.abc import Iterator, Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mmmed.reporting.figures import Plot
from mmmed.reporting.score_folder import ScoreFolder
from mmmed.visualization import (
    encode_figure,
    plot_agreement,
    plot_bland_altman,
    plot_raincloud,
    plot_size_score,
)
from mmmed.visualization.scales import Scale

MAIN_SCORES = (
    'dice',
    'surface_dice',
    'hausdorff95_mm',
    'average_surface_distance_mm',
)
COMPARED_SCORES = ('dice', 'hausdorff95_mm')
# More structures than this make a figure nobody reads; the tables hold them all.
MAX_GROUPS = 12
MAX_LABELS = 6
CLOUD_KEY = (
    'Dots: one case each; cloud: their density (from five different values on); bar: '
    'quartiles; line: median; diamond: mean.'
)


def draw_distributions(scores: ScoreFolder) -> Iterator[Plot]:
    """Whole distributions of the main scores, one row a structure."""
    labels = scores.labels[:MAX_GROUPS]
    for metric in MAIN_SCORES:
        facts = scores.metrics[metric]
        groups = {_shorten(label): scores.get_column(label, metric) for label in labels}
        limits, scale = _choose_axis(groups, facts['unit'])
        name = _name_axis(facts['title'], facts['unit'], metric, scores)
        title = f'{facts["title"]} per case'
        figure = plot_raincloud(
            groups, title=title, xlabel=name, limits=limits, scale=scale
        )
        caption = _explain_misses(facts['unit'])
        if len(labels) < len(scores.labels):
            caption += f' The first {len(labels)} of {len(scores.labels)} structures.'
        yield _make_plot(figure, title, caption)


def draw_volumes(scores: ScoreFolder) -> Iterator[Plot]:
    """Reference against predicted volume, and their difference."""
    for label in scores.labels[:MAX_LABELS]:
        target = scores.get_column(label, 'target_volume_ml')
        pred = scores.get_column(label, 'pred_volume_ml')
        greatest = float(_keep_defined(target, pred).max(initial=0))
        unit, factor = ('mm³', 1000) if greatest < 5 else ('ml', 1)
        target, pred = target * factor, pred * factor
        limits, scale = _choose_axis({'x': target, 'y': pred}, unit)
        name, n = _shorten(label), _count(target + pred)
        title = f'Volume of {name}, n = {n}'
        figure = plot_agreement(
            target,
            pred,
            title=title,
            xlabel=f'reference volume ({unit})',
            ylabel=f'predicted volume ({unit})',
            limits=limits,
            scale=scale,
        )
        caption = (
            'One point a case; on the line both volumes are equal. Points on the '
            'horizontal axis were missed.'
        )
        yield _make_plot(figure, title, caption)
        title = f'Difference of volumes of {name}, n = {n}'
        figure = plot_bland_altman(target, pred, title=title, unit=unit, scale=scale)
        caption = (
            'Bland-Altman: above zero too much was predicted. Nineteen of twenty '
            'differences lie between the dashed lines if they are normally distributed.'
        )
        yield _make_plot(figure, title, caption)


def draw_lesions(scores: ScoreFolder) -> Iterator[Plot]:
    """Dice of every reference lesion against its size."""
    groups = {}
    for label in scores.labels[:MAX_LABELS]:
        rows = [
            row
            for row in scores.lesions
            if row['label'] == label and row['side'] == 'target'
        ]
        sizes, dice = ([row[name] for row in rows] for name in ('volume_mm3', 'dice'))
        if rows:
            groups[_shorten(label)] = (np.array(sizes), np.array(dice))
    if not groups:
        return
    title = 'Size of each lesion and its Dice'
    figure = plot_size_score(
        groups, title=title, xlabel='volume in the reference (mm³)'
    )
    caption = (
        'One sign a lesion of the reference, that is a connected component; those at '
        '0 were missed.'
    )
    yield _make_plot(figure, title, caption)


def draw_comparison(scores: ScoreFolder, names: tuple[str, str]) -> Iterator[Plot]:
    """Both predictions case by case, and their differences.

    Args:
        scores: With a comparison.
        names: Of the two predictions.
    """
    first, second = map(_shorten, names)
    for metric in MAIN_SCORES:
        facts = scores.metrics[metric]
        better = 'right' if facts['best'] == 'high' else 'left'
        groups = {
            _shorten(label): _read_values(scores, label, metric, 'difference')
            for label in scores.labels[:MAX_GROUPS]
        }
        limits, scale = _choose_axis(groups, facts['unit'], centered=True)
        title = f'{facts["title"]}: {first} minus {second}'
        words = f'difference of {facts["title"]}'
        name = _name_axis(words, facts['unit'], metric, scores)
        figure = plot_raincloud(
            groups,
            title=title,
            xlabel=f'{name}; {better} of 0: {first} is better',
            limits=limits,
            scale=scale,
            reference=0,
        )
        caption = 'Per case; on the line in the middle both are equal.'
        yield _make_plot(figure, title, caption)
    for label in scores.labels[:MAX_LABELS]:
        for metric in choose_scores(scores):
            yield _draw_pairs(scores, label, metric, (first, second))


def choose_scores(scores: ScoreFolder) -> tuple[str, ...]:
    """Scores that are compared case by case: of many structures only the first."""
    few = len(scores.labels) <= MAX_LABELS // 2
    return COMPARED_SCORES if few else COMPARED_SCORES[:1]


def _draw_pairs(
    scores: ScoreFolder, label: str, metric: str, names: tuple[str, str]
) -> Plot:
    facts = scores.metrics[metric]
    a, b = (_read_values(scores, label, metric, side) for side in 'ab')
    limits, scale = _choose_axis({'a': a, 'b': b}, facts['unit'])
    if not facts['unit']:
        # Shares crowd near one; nothing is drawn below the lowest.
        lowest = float(_keep_defined(a, b).min(initial=0.9))
        limits = math.floor(10 * lowest) / 10, 1.0
    title = f'{facts["title"]} of {_shorten(label)}, n = {_count(a + b)}'
    unit = f' ({facts["unit"]})' if facts['unit'] else ''
    figure = plot_agreement(
        b,
        a,
        title=title,
        xlabel=f'{names[1]}{unit}',
        ylabel=f'{names[0]}{unit}',
        limits=limits,
        scale=scale,
    )
    place = 'above' if facts['best'] == 'high' else 'below'
    caption = f'One point a case; {place} the line {names[0]} is better.'
    return _make_plot(figure, title, caption)


def _read_values(
    scores: ScoreFolder, label: str, metric: str, name: str
) -> NDArray[np.float64]:
    rows = scores.select_pairs(label, metric)
    return np.array([row[name] for row in rows], np.float64)


def _choose_axis(
    groups: Mapping[str, NDArray[np.float64]], unit: str, *, centered: bool = False
) -> tuple[tuple[float, float], Scale]:
    """Limits of possible values, and a scale on which the middle can be seen."""
    values = np.abs(_keep_defined(*groups.values()))
    if not unit and not centered:
        return (0.0, 1.0), 'linear'
    greatest = float(values.max(initial=0)) or 1.0
    positive = values[values > 0]
    # A single miss, as far off as the image is wide, would squeeze all others.
    wide = positive.size > 0 and greatest > 8 * np.median(positive)
    scale: Scale = 'log' if unit and wide and greatest > 5 else 'linear'
    return (-greatest if centered else 0.0, greatest), scale


def _keep_defined(*columns: NDArray[np.float64]) -> NDArray[np.float64]:
    values = np.concatenate([np.empty(0), *columns])
    return values[~np.isnan(values)]


def _name_axis(title: str, unit: str, metric: str, scores: ScoreFolder) -> str:
    if metric == 'surface_dice':
        title += f' at {scores.summary["options"]["tolerance_mm"]:g} mm'
    return f'{title} ({unit})' if unit else title


def _explain_misses(unit: str) -> str:
    if unit:
        return 'A miss counts as the diagonal of the image, by the policy below.'
    return 'A miss counts as 0, by the policy below.'


def _count(values: NDArray[np.float64]) -> int:
    return int(np.count_nonzero(~np.isnan(values)))


def _shorten(name: str, most: int = 22) -> str:
    """A name that leaves room for the figure; tables hold it whole."""
    text = ' '.join(name.split())
    return text if len(text) <= most else f'{text[: most - 1]}…'


def _make_plot(figure: Figure, title: str, caption: str) -> Plot:
    return Plot(encode_figure(figure, 'svg'), title, caption)
