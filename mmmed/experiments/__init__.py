"""Experiments of other frameworks as configs of ours; imports neither host nor models.

Not here: their weights, or any code of theirs.
"""

from .importing import ImportCall as ImportCall
from .importing import convert_experiment as convert_experiment
from .importing import import_experiment as import_experiment
from .reading import ExperimentReader as ExperimentReader
from .section import Finding as Finding
from .section import Report as Report
