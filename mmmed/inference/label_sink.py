"""Where finished planes go: labels into a mask, probabilities into files.

Not here: formats of masks (``mmmed.io``).
"""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.probabilities import assign_labels
from mmmed.inference.planes import Plane


class LabelSink:
    """Labels of planes, written into a mask.

    Args:
        mask: View of the mask in the network's orientation, (Z, Y, X), unsigned.
        threshold: For one channel.
    """

    def __init__(self, mask: NDArray, threshold: float) -> None:
        self._mask = mask
        self._threshold = threshold

    def add(self, plane: Plane) -> None:
        """Label (part of) a plane."""
        labels = assign_labels(plane.prob[None], threshold=self._threshold)[0, 0]
        target = self._mask[plane.index, plane.rows, plane.columns]
        target[...] = labels.cpu().numpy().astype(self._mask.dtype)


class ProbabilitySpool:
    """Foreground probabilities on disk, in half precision, until they are written.

    A file without a name holds them: it vanishes with the process, however it ends.

    Args:
        shape: (Z, Y, X) of the planes, in the network's orientation.
        classes: Number of foreground classes.
        folder: Where there is room: 2 bytes per class and voxel.
    """

    def __init__(self, shape: Sequence[int], classes: int, folder: str | Path) -> None:
        self.shape = tuple(shape)
        self.classes = classes
        self._file: Any = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._plane_bytes = 2 * classes * shape[1] * shape[2]
        self._file.truncate(self._plane_bytes * shape[0])

    def add(self, plane: Plane) -> None:
        """Keep (part of) a plane; class 0 is left out, 1 minus the sum gives it."""
        prob = plane.prob if len(plane.prob) == 1 else plane.prob[1:]
        # Mapped for a moment only: mapped pages would count as memory of ours.
        self._map(plane.index)[:, plane.rows, plane.columns] = prob.half().cpu().numpy()

    def read(self, number: int) -> Iterator[NDArray[np.float16]]:
        """Planes (Y, X) of one foreground class, counted from 0, in order."""
        for index in range(self.shape[0]):
            yield np.array(self._map(index)[number])

    def close(self) -> None:
        """Give the disk space back."""
        self._file.close()

    def _map(self, index: int) -> NDArray[np.float16]:
        return np.memmap(
            self._file,
            dtype=np.float16,
            mode='r+',
            offset=index * self._plane_bytes,
            shape=(self.classes, *self.shape[1:]),
        )
