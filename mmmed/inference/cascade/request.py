"""CascadeCall: what a run of the cascade is asked for, and what of it decides results.

Not here: command lines (``call``), the run.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from mmmed.files import hash_file
from mmmed.inference.cascade.outputs import OutputSettings
from mmmed.inference.cascade.settings import CascadeSettings
from mmmed.inference.cascade.weights import CALIBRATION

# Raise when results of the same series, weights and settings change.
_FORMAT = 1


@dataclass(frozen=True)
class CascadeCall:
    """What a run is asked for.

    Args:
        source: A DICOM tree, a NIfTI file or folder, or folders of pictures.
        out: Folder of the results.
        weights: Folder with the checkpoints.
        settings: Of the cascade.
        output: What is written.
        num_parts: Into how many runs the patients are divided.
        part_id: Which of them this is, from 0.
        overwrite: Make everything anew, whatever lies there.
        show_progress: Whether a bar is shown.
    """

    source: Path
    out: Path
    weights: Path
    settings: CascadeSettings
    output: OutputSettings
    num_parts: int = 1
    part_id: int = 0
    overwrite: bool = False
    show_progress: bool = False

    @property
    def part_suffix(self) -> str:
        """Of the names of files that each part of a divided run has its own of."""
        if self.num_parts == 1:
            return ''
        return f'-part{self.part_id}of{self.num_parts}'

    @property
    def device(self) -> str:
        """Where networks compute, as torch names it.

        Raises:
            ValueError: There is no such GPU.
        """
        number = self.settings.processing.gpu_device
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if number == -1 or (number is None and not count):
            return 'cpu'
        if (number or 0) >= count:
            raise ValueError(
                f'GPU {number} of {count}; use --gpu-id -1 for the CPU, or leave it out'
            )
        return f'cuda:{number or 0}'


def describe_settings(call: CascadeCall) -> dict[str, Any]:
    """Everything beside the series that decides what is written."""
    models = asdict(call.settings.models)
    processing = asdict(call.settings.processing)
    # How fast, not what.
    for name in ('batch_size', 'gpu_device'):
        processing.pop(name)
    return {
        'format': _FORMAT,
        'processing': processing,
        'models': models,
        'output': asdict(call.output),
        'weights_sha256': {
            name: _hash_weights(call.weights / model['checkpoint'])
            for name, model in models.items()
        },
    }


def _hash_weights(path: Path) -> list[str | None]:
    """Of a checkpoint and its calibration; None for what is not there."""
    beside = path.with_name(path.stem + CALIBRATION)
    return [hash_file(p) if p.is_file() else None for p in (path, beside)]
