"""Where lesions lie in the box of their organ, seen from three sides."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from mmmed.visualization.figure import BLUE, FAINT, create_figure, use_style

# Horizontal and vertical axis (of Z, Y, X) of each view, with their ends.
_VIEWS = (
    ('from below (axial)', 2, 1, 'right', 'left', 'posterior', 'anterior'),
    ('from front (coronal)', 2, 0, 'right', 'left', 'inferior', 'superior'),
    ('from left (sagittal)', 1, 0, 'anterior', 'posterior', 'inferior', 'superior'),
)


@use_style
def plot_lesion_positions(
    positions: ArrayLike, radii_mm: Sequence[float], *, title: str
) -> Figure:
    """Every lesion as a circle; its area grows with the radius.

    Args:
        positions: (n, 3) in Z, Y, X from 0 (inferior, posterior, left) to 1.
        radii_mm: Of the lesions, (n,).
        title: What is shown; n is added.

    Returns:
        Figure of 7.2 x 2.9 inch.
    """
    points = np.asarray(positions, float).reshape(-1, 3)
    figure = create_figure(7.2, 2.9)
    sizes = 2.5 * np.asarray(radii_mm, float)
    for axis, view in zip(figure.subplots(1, 3), _VIEWS, strict=True):
        name, across, up, left, right, low, high = view
        axis.scatter(
            points[:, across], points[:, up], s=sizes, color=BLUE, alpha=0.5, lw=0
        )
        axis.set(xlim=(1, 0), ylim=(0, 1), aspect='equal')
        axis.set_title(name, fontsize=8, fontweight='normal')
        labels = axis.set_xticks([1, 0.5, 0], [left, '', right], fontsize=7)
        labels[0].label1.set_ha('left')
        labels[2].label1.set_ha('right')
        labels = axis.set_yticks([0, 0.5, 1], [low, '', high], fontsize=7, rotation=90)
        labels[0].label1.set_va('bottom')
        labels[2].label1.set_va('top')
        if not len(points):
            axis.text(0.5, 0.5, 'no lesion', ha='center', color=FAINT)
    figure.suptitle(
        f'{title} (n = {len(points):,}; box of the organ)', fontsize=9, x=0.01,
        ha='left',
    )  # fmt: skip
    return figure
