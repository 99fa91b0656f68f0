"""The spinal cord cascade: from a series to cord and lesion masks, stage by stage."""

from .analysis import STAGES as STAGES
from .cascade import Cascade as Cascade
from .lesion_analysis import LesionAnalysis as LesionAnalysis
from .lesion_analysis import analyze_lesions as analyze_lesions
from .result import CascadeResult as CascadeResult
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
