"""Medical imaging for OpenMMLab: geometry, splits, models, evaluation, reports.

Importing this package registers nothing and loads no host package. MMEngine
finds our parts lazily through :mod:`mmmed.registry` when a config names
``mmmed.Something``.
"""

from mmmed.version import __version__ as __version__
