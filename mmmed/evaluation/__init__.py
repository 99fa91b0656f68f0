"""Scores of folders of masks, and the metrics that MMEngine's loops call.

Not here: the maths (``mmmed.functional``). The metrics are registered by
``mmmed.evaluation.metrics``, which is not imported here: the processes that score a
folder need no host package.
"""
