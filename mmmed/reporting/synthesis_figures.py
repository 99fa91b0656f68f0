"""Files about lesions of scans: montages, tables and figures.

Not here: making or counting lesions (``mmmed.preparation``).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmmed.files import write_bytes_atomic, write_csv_atomic, write_json_atomic
from mmmed.visualization import encode_figure, plot_raincloud, plot_size_strata
from mmmed.visualization.lesion_montage import MontageItem, plot_lesion_montage
from mmmed.visualization.position_plots import plot_lesion_positions

_DPI = 130


def write_montage(
    items: Sequence[MontageItem], path: str | Path, *, title: str, per_row: int = 2
) -> Path:
    """Write a montage as PNG.

    Args:
        items: Scans.
        path: File; ``.png``.
        title: What is shown.
        per_row: Scans side by side.

    Raises:
        ValueError: Another suffix, or no scans.
    """
    path = Path(path)
    if path.suffix.lower() != '.png':
        raise ValueError(f'{path}: a montage is a PNG; choose a name that ends in .png')
    center, width = choose_window(items)
    figure = plot_lesion_montage(
        items, title=title, per_row=per_row,
        window_hu=(center - width / 2, center + width / 2),
    )  # fmt: skip
    write_bytes_atomic(path, encode_figure(figure, 'png', dpi=_DPI))
    return path


def choose_window(items: Sequence[MontageItem]) -> tuple[float, float]:
    """Center and width in HU: about the organ, wide enough for its lesions."""
    levels = [
        float(np.median(item.image[item.label == 1]))
        for item in items
        if (item.label == 1).any()
    ]
    level = float(np.median(levels)) if levels else 60.0
    return round(level - 10), 240.0


def write_tumor_files(
    rows: Sequence[Mapping[str, Any]], summary: Mapping[str, Any], out: str | Path
) -> list[Path]:
    """Write ``tumors.csv``, ``summary.json`` and figures of sizes and places.

    Args:
        rows: Of :func:`mmmed.preparation.organ_statistics.list_tumors`.
        summary: Of ``summarize_tumors``.
        out: Folder.

    Returns:
        The files.
    """
    out = Path(out)
    write_csv_atomic(out / 'tumors.csv', rows)
    write_json_atomic(out / 'summary.json', summary)
    radii = [row['radius_mm'] for row in rows]
    strata = {f'{name} mm': n for name, n in summary['radius_mm_strata'].items()}
    contrasts = {
        name: [row['contrast_hu'] for row in rows if row['size_class'] == name]
        for name in summary['size_classes']
    }
    figures = {
        'radii': plot_size_strata(
            radii, strata, (5, 10, 20), title='Size of tumors',
            xlabel='radius (mm)', counted='tumors',
        ),
        'positions': plot_lesion_positions(
            [[row[k] for k in 'zyx'] for row in rows], radii, title='Place of tumors'
        ),
        'contrast': plot_raincloud(
            contrasts, title='Contrast of tumors by size',
            xlabel='mean minus organ (HU)', limits=(-150, 100),
        ),
    }  # fmt: skip
    for name, figure in figures.items():
        write_bytes_atomic(out / f'{name}.png', encode_figure(figure, 'png', dpi=_DPI))
    return [out / 'tumors.csv', out / 'summary.json',
            *(out / f'{name}.png' for name in figures)]  # fmt: skip
