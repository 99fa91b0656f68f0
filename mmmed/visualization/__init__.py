"""Figures from arrays: overlays of masks on images, and plots of results.

Nothing here opens a window or touches matplotlib's global state: every function
returns a figure of its own. Not here: what to show (``mmmed.reporting``).
"""

from .agreement_plots import plot_agreement as plot_agreement
from .agreement_plots import plot_bland_altman as plot_bland_altman
from .cord_mosaic import CordScene as CordScene
from .cord_mosaic import CordTile as CordTile
from .cord_mosaic import plot_cord_tiles as plot_cord_tiles
from .figure import encode_figure as encode_figure
from .lesion_plots import plot_lesion_profile as plot_lesion_profile
from .lesion_plots import plot_size_strata as plot_size_strata
from .overlay import plot_overlay as plot_overlay
from .plots import plot_curves as plot_curves
from .plots import plot_precision_recall as plot_precision_recall
from .plots import plot_raincloud as plot_raincloud
from .plots import plot_size_score as plot_size_score
