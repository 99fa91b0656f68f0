"""The spinal cord cascade: from a series to cord and lesion masks, stage by stage."""

from .analysis import STAGES as STAGES
from .analysis_run import analyze_files as analyze_files
from .call import COMMANDS as COMMANDS
from .call import find_exit_code as find_exit_code
from .call import parse_cascade as parse_cascade
from .cascade import Cascade as Cascade
from .collect import collect_weights as collect_weights
from .lesion_analysis import LesionAnalysis as LesionAnalysis
from .lesion_analysis import analyze_lesions as analyze_lesions
from .request import CascadeCall as CascadeCall
from .result import CascadeResult as CascadeResult
from .run import CascadeOutcome as CascadeOutcome
from .run import list_inputs as list_inputs
from .run import run_cascade as run_cascade
from .settings import ON_REJECT as ON_REJECT
from .settings import AnatomySettings as AnatomySettings
from .settings import CascadeSettings as CascadeSettings
from .settings import CordSegmentationSettings as CordSegmentationSettings
from .settings import LesionSegmentationSettings as LesionSegmentationSettings
from .settings import LocationViewSettings as LocationViewSettings
from .settings import ModelSettings as ModelSettings
from .settings import ProcessingSettings as ProcessingSettings
from .settings import SequenceSettings as SequenceSettings
from .settings import SpinalCordSettings as SpinalCordSettings
from .weights import WeightsError as WeightsError
