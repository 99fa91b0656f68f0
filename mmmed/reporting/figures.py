"""Plots of a report: which numbers are drawn, and under which title.

Not here: drawing (``mmmed.visualization``), overlays of cases (``case_figures``).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmmed.functional.overlap import compute_scores
from mmmed.reporting.content import Content
from mmmed.reporting.tables import list_patients
from mmmed.visualization import (
    encode_figure,
    plot_curves,
    plot_precision_recall,
    plot_raincloud,
    plot_size_score,
)

MAX_CURVES = 5


@dataclass(frozen=True)
class Plot:
    """One plot.

    Args:
        image: SVG bytes.
        alt: What it shows, for those who do not see it.
        caption: How to read it.
    """

    image: bytes
    alt: str
    caption: str


def draw_distributions(content: Content, label: str) -> Iterator[Plot]:
    """Whole distributions of a structure's scores, all evaluations together."""
    images, patients = _read_images(content, label), _read_patients(content, label)
    positive = {
        name: {key: values[image['target'] > 0] for key, values in image.items()}
        for name, image in images.items()
    }
    key = (
        'Dots: one each; cloud: their density (from five different values on); bar: '
        'quartiles; line: median; diamond: mean. A miss counts as 0.'
    )
    for groups, unit in ((positive, f'image with {label}'), (patients, 'patient')):
        title = f'Dice per {unit}'
        figure = plot_raincloud(
            {name: group['dice'] for name, group in groups.items()},
            title=title,
            xlabel='Dice (0 to 1, 1 is best)',
        )
        yield Plot(encode_figure(figure, 'svg'), title, key)
    title = f'Precision and recall per image with {label}'
    figure = plot_precision_recall(
        {name: (g['precision'], g['recall']) for name, g in positive.items()},
        title=title,
    )
    caption = 'Low and right: too much is marked; high and left: too little.'
    yield Plot(encode_figure(figure, 'svg'), title, caption)
    unit = 'mm²' if _has_area(content, label) else 'pixels'
    title = f'Size of the {label} and Dice per image'
    figure = plot_size_score(
        {name: (g['area'], g['dice']) for name, g in positive.items()},
        title=title,
        xlabel=f'true area in the image ({unit})',
    )
    caption = (
        'Small structures score lower at the same distance of contours; points at 0 '
        'were missed.'
    )
    yield Plot(encode_figure(figure, 'svg'), title, caption)


def _read_images(content: Content, label: str) -> dict[str, dict[str, np.ndarray]]:
    """Scores and sizes of every image, by described evaluation."""
    scale = _has_area(content, label)
    groups = {}
    for evaluation in content.evaluations:
        rows, counts = evaluation.select(label)
        target = counts[:, 0] + counts[:, 2]
        areas = np.array([(row.pixel_area_mm2 if scale else 1.0) or 1 for row in rows])
        scores = compute_scores(counts, policy=evaluation.policy)
        extra = {'target': target, 'area': target * areas}
        groups[content.describe(evaluation)] = scores | extra
    return groups


def _read_patients(content: Content, label: str) -> dict[str, dict[str, Any]]:
    groups = {}
    for evaluation in content.evaluations:
        rows = [row for row in list_patients(evaluation) if row['label'] == label]
        dice = [math.nan if row['dice'] is None else row['dice'] for row in rows]
        groups[content.describe(evaluation)] = {'dice': np.array(dice)}
    return groups


def _has_area(content: Content, label: str) -> bool:
    """Whether every image of a structure has a pixel size."""
    return all(
        row.pixel_area_mm2
        for evaluation in content.evaluations
        for row in evaluation.select(label)[0]
    )


def draw_curves(content: Content) -> Iterator[Plot]:
    """Losses, validation scores and learning rate of the training."""
    log = content.log
    resumed = (
        f' Dotted: {len(log.resumed_at)} resumes.' if len(log.resumed_at) > 1
        else ' Dotted: resumed.' if log.resumed_at
        else ''
    )  # fmt: skip
    curves: dict[str, tuple[list[float], list[float]]] = {}
    for name in log.list_names('train'):
        series = log.get_series('train', name)
        # With a single part, its curve would hide that of the sum.
        if 'loss' in name and series not in curves.values():
            curves[name] = series
    if curves:
        figure = plot_curves(
            dict(list(curves.items())[:MAX_CURVES]),
            title='Training loss',
            xlabel='iteration',
            ylabel='loss',
            breaks=log.resumed_at,
        )
        caption = f'As logged, mean of the last iterations.{resumed}'
        yield Plot(encode_figure(figure, 'svg'), 'Training loss', caption)
    yield from _draw_validation(content)
    if 'lr' in log.list_names('train'):
        figure = plot_curves(
            {'learning rate': log.get_series('train', 'lr')},
            title='Learning rate',
            xlabel='iteration',
            ylabel='learning rate',
            breaks=log.resumed_at,
        )
        caption = f'Of the first parameter group.{resumed}'
        yield Plot(encode_figure(figure, 'svg'), 'Learning rate', caption)


def _draw_validation(content: Content) -> Iterator[Plot]:
    log = content.log
    names = select_validation_names(log.list_names('val'))
    if not names:
        return
    curves = {name.partition('/')[2]: log.get_series('val', name) for name in names}
    steps, values = curves[next(iter(curves))]
    defined = [
        (value, -step)
        for step, value in zip(steps, values, strict=True)
        if not math.isnan(value)
    ]
    best = max(defined) if defined else None
    figure = plot_curves(
        curves,
        title='Validation during training',
        xlabel='epoch' if log.by_epoch else 'iteration',
        ylabel='Dice (0 to 1)',
        ylim=(-0.03, 1.03),
        highlight=(-best[1], best[0]) if best else None,
    )
    caption = (
        f'Star: highest {next(iter(curves))}. Picking the best of many validations '
        'makes the score of the validation set look a little too good.'
    )
    yield Plot(encode_figure(figure, 'svg'), 'Validation during training', caption)


def select_validation_names(names: list[str]) -> list[str]:
    """The Dice scores worth a curve: per patient first, then the other levels."""
    dice = [name for name in names if name.startswith('overlap/dice_')]
    patient = [name for name in dice if name.startswith('overlap/dice_patient_')]
    return [*patient, *(name for name in dice if name not in patient)][:MAX_CURVES]
