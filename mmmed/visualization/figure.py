"""One look for all figures, and bytes that depend on nothing but their content.

Not here: what is drawn (``overlay``, ``plots``).
"""

import io
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Okabe and Ito 2008: distinguishable with every common colour vision deficiency.
BLUE, ORANGE, GREEN = '#0072B2', '#E69F00', '#009E73'
SKY, VERMILION, PURPLE, BLACK = '#56B4E9', '#D55E00', '#CC79A7', '#000000'
SERIES_COLORS = (BLUE, ORANGE, GREEN, PURPLE, VERMILION, SKY, BLACK)
# A second sign beside colour, for print in grey.
SERIES_MARKERS = ('o', '^', 's', 'D', 'v', 'P', 'X')
INK, FAINT = '#222222', '#8a8a8a'

# Any key: the typed names of settings belong to one matplotlib version only.
STYLE: Any = {
    # The font ships with matplotlib, so figures look alike on every machine.
    'font.family': 'DejaVu Sans',
    'font.size': 9,
    # Names from data may hold dollar signs; they are text, not formulas.
    'text.parse_math': False,
    'text.color': INK,
    'axes.edgecolor': '#666666',
    'axes.labelcolor': INK,
    'axes.titlesize': 10,
    'axes.titleweight': 'bold',
    'axes.titlelocation': 'left',
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.grid': True,
    'grid.color': '#e6e6e6',
    'grid.linewidth': 0.6,
    'axes.axisbelow': True,
    'xtick.color': '#444444',
    'ytick.color': '#444444',
    'legend.frameon': False,
    'legend.fontsize': 8,
    'lines.linewidth': 1.4,
    # Text as outlines needs no font in the browser; the salt makes ids repeatable.
    'svg.fonttype': 'path',
    'svg.hashsalt': 'mmmed',
}

_Plot = TypeVar('_Plot', bound=Callable[..., Any])


def use_style(function: _Plot) -> _Plot:
    """Run a plotting function under ``STYLE``, whatever the user has configured."""

    @wraps(function)
    def styled(*args: Any, **kwargs: Any) -> Any:
        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(STYLE)
            return function(*args, **kwargs)

    return styled  # type: ignore[return-value]


def create_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches, that belongs to no global registry."""
    figure = Figure(figsize=(width, height), layout='constrained')
    FigureCanvasAgg(figure)
    return figure


@use_style
def encode_figure(figure: Figure, kind: str = 'png', *, dpi: int = 150) -> bytes:
    """Bytes of an image file; equal figures give equal bytes.

    Args:
        figure: The figure.
        kind: ``svg`` for plots, ``jpg`` for photographs with overlays, ``png``.
        dpi: Pixels per inch; without effect on ``svg``.

    Raises:
        ValueError: ``kind`` is none of the three.
    """
    options: dict[str, dict[str, Any]] = {
        'svg': {'metadata': {'Date': None, 'Creator': None}},
        'png': {'metadata': {'Software': None}},
        # Full chroma: thin coloured contours survive.
        'jpg': {'pil_kwargs': {'quality': 88, 'subsampling': 0}},
    }
    if kind not in options:
        raise ValueError(f'kind is {kind!r}, expected one of {", ".join(options)}')
    stream = io.BytesIO()
    figure.savefig(stream, format=kind, dpi=dpi, **options[kind])
    return stream.getvalue()
