"""The only file that names parent registries and where our parts live.

Every table is a child of MMEngine's root table with scope ``mmmed``: a config
keeps the host's ``default_scope='mmseg'`` and writes ``mmmed.Name`` for what is
ours. Locations are imported lazily, at the first lookup.
"""

from mmengine.registry import DATA_SAMPLERS as ROOT_DATA_SAMPLERS
from mmengine.registry import DATASETS as ROOT_DATASETS
from mmengine.registry import HOOKS as ROOT_HOOKS
from mmengine.registry import LOOPS as ROOT_LOOPS
from mmengine.registry import METRICS as ROOT_METRICS
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import TRANSFORMS as ROOT_TRANSFORMS
from mmengine.registry import Registry

SCOPE = 'mmmed'

DATASETS = Registry(
    'dataset', parent=ROOT_DATASETS, scope=SCOPE, locations=['mmmed.datasets']
)
DATA_SAMPLERS = Registry(
    'data sampler',
    parent=ROOT_DATA_SAMPLERS,
    scope=SCOPE,
    locations=['mmmed.datasets.samplers'],
)
TRANSFORMS = Registry(
    'transform',
    parent=ROOT_TRANSFORMS,
    scope=SCOPE,
    locations=['mmmed.datasets.transforms'],
)
MODELS = Registry('model', parent=ROOT_MODELS, scope=SCOPE, locations=['mmmed.models'])
METRICS = Registry(
    'metric', parent=ROOT_METRICS, scope=SCOPE, locations=['mmmed.evaluation.metrics']
)
HOOKS = Registry('hook', parent=ROOT_HOOKS, scope=SCOPE, locations=['mmmed.engine'])
LOOPS = Registry('loop', parent=ROOT_LOOPS, scope=SCOPE, locations=['mmmed.engine'])
# Built by tools/prepare_dataset.py outside any default scope, so it has no parent.
PREPARERS = Registry('preparer', scope=SCOPE, locations=['mmmed.preparation'])
