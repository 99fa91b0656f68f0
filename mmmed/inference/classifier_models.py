"""Classifiers in work folders: found, chosen, loaded.

Not here: what a checkpoint says (``classifier_config``), predicting.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from mmmed.checkpoint import load_checkpoint_safely
from mmmed.files import hash_file
from mmmed.inference.classifier_config import ClassifierDescription, read_description
from mmmed.inference.loading import build_model, load_weights
from mmmed.structures.json_file import load_json

CHOICES = ('best', 'last')
CALIBRATION = 'calibration.json'


@dataclass(frozen=True)
class LoadedClassifier:
    """A model ready to predict.

    Args:
        name: Unique among the models of a run, made from its folder.
        path: Of its checkpoint.
        sha256: Of the checkpoint.
        model: On its device, in evaluation mode.
        description: What it says about itself.
        calibration: Temperature and thresholds by target, from its validation cases;
            empty without any.
    """

    name: str
    path: Path
    sha256: str
    model: nn.Module
    description: ClassifierDescription
    calibration: Mapping[str, Mapping[str, Any]]


def find_classifiers(
    roots: Sequence[str | Path], *, choice: str = 'best'
) -> dict[str, Path]:
    """One checkpoint of every work folder below some roots.

    Args:
        roots: Folders, or checkpoint files.
        choice: ``'best'``: that of the best validation, or the last where there is
            none. ``'last'``: that of the last epoch.

    Returns:
        Checkpoint by name, sorted by name; the name is the folder below its root.

    Raises:
        FileNotFoundError: A root is absent.
        ValueError: There is no checkpoint below a root.
    """
    found: list[tuple[str, Path]] = []
    for root in map(Path, roots):
        if root.is_file():
            found.append((root.parent.name or root.stem, root))
            continue
        if not root.is_dir():
            raise FileNotFoundError(f'there is no folder or checkpoint {root}')
        folders = sorted({path.parent for path in root.rglob('*.pth')})
        if not folders:
            raise ValueError(
                f'{root}: no checkpoint (*.pth) below it; give folders of trainings'
            )
        for folder in folders:
            name = folder.relative_to(root).as_posix()
            label = root.resolve().name if name == '.' else name
            found.append((label, choose_checkpoint(folder, choice)))
    return dict(sorted(_make_unique(found).items()))


def choose_checkpoint(folder: Path, choice: str) -> Path:
    """Checkpoint of a work folder; the latest of several.

    Raises:
        ValueError: ``choice`` is unknown.
    """
    if choice not in CHOICES:
        raise ValueError(f'checkpoint {choice!r}, expected one of {CHOICES}')
    paths = sorted(folder.glob('*.pth'), key=lambda p: (_read_step(p), p.name))
    best = [path for path in paths if path.name.startswith('best_')]
    others = [path for path in paths if path not in best]
    ordered = (others + best) if choice == 'best' else (best + others)
    return ordered[-1]


def load_classifier(name: str, path: Path, device: str) -> LoadedClassifier:
    """Read, check and build one model.

    Raises:
        FileNotFoundError: The file is absent.
        ValueError: The file is damaged or refused, does not describe itself, or its
            weights do not fit its own configuration.
    """
    checkpoint = load_checkpoint_safely(path, 'cpu')
    description = read_description(checkpoint, path)
    try:
        model = build_model({'default_scope': 'mmseg', 'model': description.model})
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
    load_weights(model, checkpoint, path)
    iteration = checkpoint['meta'].get('iter')
    return LoadedClassifier(
        name=name,
        path=path,
        sha256=hash_file(path),
        model=model.eval().to(device),
        description=description,
        calibration=read_calibration(path.parent / CALIBRATION, iteration),
    )


def read_calibration(path: Path, iteration: Any) -> dict[str, dict[str, Any]]:
    """Temperature and thresholds that were fitted when a checkpoint was made.

    Returns:
        By target; empty without a file or without that iteration.

    Raises:
        ValueError: The file is damaged.
    """
    if not path.is_file():
        return {}
    try:
        entry = load_json(path)['by_iteration'].get(str(iteration)) or {}
        for target in entry.values():
            if not target['temperature'] > 0:
                raise ValueError(f'temperature {target["temperature"]}, expected > 0')
            if not isinstance(target.get('thresholds', []), list):
                raise ValueError('thresholds are no list')
        return dict(entry)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f'{path} is damaged: {error}') from error


def _read_step(path: Path) -> int:
    numbers = re.findall(r'\d+', path.stem)
    return int(numbers[-1]) if numbers else -1


def _make_unique(found: Sequence[tuple[str, Path]]) -> dict[str, Path]:
    """Names by path; equal names of different files get a number."""
    unique: dict[str, Path] = {}
    for name, path in found:
        if path in unique.values():
            continue
        label, number = name, 2
        while label in unique:
            label, number = f'{name}-{number}', number + 1
        unique[label] = path
    return unique
