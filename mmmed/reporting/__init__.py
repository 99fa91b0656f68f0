"""From the folder of a finished run to a report that people read.

Not here: measuring (``mmmed.evaluation``); drawing (``mmmed.visualization``).
"""

from .classification_report import (
    write_classification_report as write_classification_report,
)
from .cord_previews import write_previews as write_previews
from .cord_report import write_cord_report as write_cord_report
from .report import write_report as write_report
from .score_report import write_score_report as write_score_report
