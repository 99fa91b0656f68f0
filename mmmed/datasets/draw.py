"""Draw: an index that knows which draw of the training stream it is.

Not here: the order of the stream (``mmmed.datasets.samplers``) or what is done with
the random numbers (``mmmed.datasets.transforms``).
"""


class Draw(int):
    """Dataset index that carries its global position in a sampler's stream.

    The augmentation of a sample is a function of ``(seed, draw)`` and of nothing
    else, so it is the same for any number of workers, processes or resumed runs.
    A draw survives the index arithmetic of MMEngine's ``ConcatDataset`` and
    ``RepeatDataset`` and the pickling on the way to a worker.

    Args:
        index: Index into the dataset.
        draw: Position in the stream of all ranks, >= 0.
        seed: Seed of the stream, >= 0.

    Example:
        >>> shifted = Draw(7, draw=100) - 5
        >>> shifted, shifted.draw
        (2, 100)
    """

    draw: int
    seed: int

    def __new__(cls, index: int, draw: int, seed: int = 0) -> 'Draw':  # noqa: D102
        # An integer is immutable: its value is set here, not in __init__.
        self = super().__new__(cls, index)
        self.draw = draw
        self.seed = seed
        return self

    def __reduce__(self) -> tuple[type['Draw'], tuple[int, int, int]]:
        return type(self), (int(self), self.draw, self.seed)

    def __add__(self, other: int) -> 'Draw':
        return Draw(int(self) + other, self.draw, self.seed)

    __radd__ = __add__

    def __sub__(self, other: int) -> 'Draw':
        return Draw(int(self) - other, self.draw, self.seed)

    def __mod__(self, other: int) -> 'Draw':
        return Draw(int(self) % other, self.draw, self.seed)
