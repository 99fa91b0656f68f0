"""What a command line asks of an ensemble of classifiers; not here: doing it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class ClassificationOptions:
    """How an ensemble predicts.

    Args:
        choice: Checkpoint of each work folder, ``'best'`` or ``'last'``.
        rule: ``'mean'``, ``'vote'`` or ``'weighted'``.
        weights: One a model, in the order of their names, for ``'weighted'``; None for
            their validation scores.
        calibrate: Whether temperatures are applied that validation gave.
        role: Role of the cases in each model's own fold, such as ``'test'``: each model
            answers only those, so that the folds of a cross-validation together answer
            every case without having seen it. None for all cases.
        device: As for torch.
        batch_size: Regions at a time.
        workers: Processes that read.
        num_resamples: Of the intervals; 0 for none.
        seed: Of the intervals.
        overwrite: Whether finished answers are made anew.
        quiet: Whether no progress is shown.
    """

    choice: str = 'best'
    rule: str = 'mean'
    weights: tuple[float, ...] | None = None
    calibrate: bool = True
    role: str | None = None
    device: str = 'cpu'
    batch_size: int = 8
    workers: int = 0
    num_resamples: int = 1000
    seed: int = 0
    overwrite: bool = False
    quiet: bool = False


def parse_classification(args: Mapping[str, Any]) -> ClassificationOptions:
    """Options of a command line.

    Args:
        args: By the names of the options of ``tools/classify.py``, ``-`` as ``_``.

    Raises:
        ValueError: There is no such device.
    """
    names = (
        'role', 'batch_size', 'workers', 'num_resamples', 'seed', 'overwrite', 'quiet',
    )  # fmt: skip
    return ClassificationOptions(
        choice=args['checkpoint'],
        rule=args['ensemble'],
        weights=tuple(args['weights']) if args['weights'] else None,
        calibrate=not args['uncalibrated'],
        device=find_device(args['device']),
        **{name: args[name] for name in names},
    )


def find_device(given: str | None) -> str:
    """What a call names, else a GPU if there is one.

    Raises:
        ValueError: There is no such device.
    """
    if given is None:
        return 'cuda' if torch.cuda.is_available() else 'cpu'
    try:
        kind = torch.device(given).type
    except RuntimeError as error:
        raise ValueError(f'--device {given}: {error}') from error
    if kind == 'cuda' and not torch.cuda.is_available():
        raise ValueError(f'--device {given}: no CUDA device found; use --device cpu')
    return given
