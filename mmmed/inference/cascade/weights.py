"""The six checkpoints of a cascade: read, checked against what is expected, built.

Not here: applying them.
"""


class WeightsError(ValueError):
    """A checkpoint is absent, refused, or not the one that a stage needs.

    The message names the file, what was found and what was expected.
    """
