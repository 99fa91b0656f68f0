"""From weights and scans to masks; not here: training, scores."""

from .call import Call as Call
from .call import parse_call as parse_call
from .classification_comparison import compare_folders as compare_folders
from .classification_options import ClassificationOptions as ClassificationOptions
from .classification_options import parse_classification as parse_classification
from .classification_run import ClassificationOutcome as ClassificationOutcome
from .classification_run import classify_regions as classify_regions
from .classification_run import list_models as list_models
from .explanation_run import ExplanationOptions as ExplanationOptions
from .explanation_run import explain_cases as explain_cases
from .explanation_run import parse_explanation as parse_explanation
from .inferencer import Inferencer as Inferencer
from .inferencer import Prediction as Prediction
from .loading import LoadedNetworks as LoadedNetworks
from .loading import hush_host as hush_host
from .loading import load_networks as load_networks
from .onnx_export import export_onnx as export_onnx
from .options import SAVES as SAVES
from .options import RunOptions as RunOptions
from .recipe import ScanRecipe as ScanRecipe
from .run import RunOutcome as RunOutcome
from .run import infer_scans as infer_scans
