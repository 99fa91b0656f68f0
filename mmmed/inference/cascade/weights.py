"""The six checkpoints of a cascade: read, checked against what is expected, built.

Class names decide, never class numbers. Not here: applying the networks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from mmmed.checkpoint import load_checkpoint_safely
from mmmed.files import hash_file
from mmmed.inference.cascade.segmentation_config import (
    SegmentationDescription,
    read_segmentation,
)
from mmmed.inference.cascade.slice_recipe import SliceRecipe, read_slice_recipe
from mmmed.inference.classifier_config import read_description
from mmmed.inference.classifier_models import read_calibration
from mmmed.inference.loading import build_model, load_weights
from mmmed.structures.spine_classes import SPINE_TARGETS

CALIBRATION = '.calibration.json'
# What reading and building raise for a checkpoint that somebody else made up.
_BAD = (
    ValueError, ImportError, TypeError, AttributeError, LookupError, RuntimeError,
    AssertionError, ArithmeticError, MemoryError,
)  # fmt: skip


class WeightsError(ValueError):
    """A checkpoint is absent, refused, or not the one that a stage needs.

    The message names the file, what was found and what was expected.
    """


@dataclass(frozen=True, eq=False)
class LoadedGate:
    """A slice classifier ready to predict.

    Args:
        stage: Name of the stage.
        model: In evaluation mode, on its device.
        title: What the model is, for records.
        sha256: Of its file.
        targets: Class names by target, those that the stage reads.
        recipe: How a slice becomes its input.
        temperatures: By target; 1 where it was not calibrated.
    """

    stage: str
    model: nn.Module
    title: str
    sha256: str
    targets: Mapping[str, tuple[str, ...]]
    recipe: SliceRecipe
    temperatures: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class LoadedSegmenter:
    """A slice segmentor ready to predict.

    Args:
        stage: Name of the stage.
        model: In evaluation mode, on its device.
        title: What the model is, for records.
        sha256: Of its file.
        description: What its checkpoint says about itself.
    """

    stage: str
    model: nn.Module
    title: str
    sha256: str
    description: SegmentationDescription


def load_gate(
    path: Path,
    stage: str,
    choices: Sequence[Mapping[str, Sequence[str]]],
    device: str = 'cpu',
) -> LoadedGate:
    """Read, check and build the classifier of a gate.

    Args:
        path: Checkpoint that describes itself (``mmmed.SelfDescriptionHook``); a
            temperature is read from the file of the same name that ends in
            ``.calibration.json``.
        stage: Name of the stage.
        choices: Sets of targets, one of which the model must have all of, with the
            class names that it must know; the first set that is there counts.
        device: As for torch.

    Raises:
        WeightsError: The file is absent, refused or damaged, its classes are none of
            this stage's, or a class is missing that the settings accept.
    """
    checkpoint = _read(path)
    try:
        description = read_description(checkpoint, path)
        targets = _choose_targets(description.targets, choices)
        recipe = read_slice_recipe(description.pipeline)
        temperatures = _read_temperatures(path, checkpoint, targets)
        model = _build(description.model, checkpoint, path)
    except _BAD as error:
        raise _explain(path, stage, error) from error
    return LoadedGate(
        stage=stage,
        model=model.eval().to(device),
        title=_name_model(description.model),
        sha256=hash_file(path),
        targets=targets,
        recipe=recipe,
        temperatures=temperatures,
    )


def load_segmenter(
    path: Path, stage: str, task: str, device: str = 'cpu'
) -> LoadedSegmenter:
    """Read, check and build a segmentor.

    Args:
        path: Checkpoint that describes itself (``mmmed.SegmentationDescriptionHook``).
        stage: Name of the stage.
        task: ``'cord'`` or ``'lesion'``.
        device: As for torch.

    Raises:
        WeightsError: The file is absent, refused or damaged, or made for another task.
    """
    checkpoint = _read(path)
    try:
        description = read_segmentation(checkpoint, path)
        if description.task != task:
            raise ValueError(
                f'it was trained for {description.task!r} with classes '
                f'{list(description.classes)}, expected {task!r}'
            )
        model = _build(description.model, checkpoint, path)
    except _BAD as error:
        raise _explain(path, stage, error) from error
    return LoadedSegmenter(
        stage=stage,
        model=model.eval().to(device),
        title=_name_model(description.model),
        sha256=hash_file(path),
        description=description,
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        checkpoint = load_checkpoint_safely(path, 'cpu')
    except (FileNotFoundError, ValueError) as error:
        raise WeightsError(str(error)) from error
    if not isinstance(checkpoint, Mapping):
        raise WeightsError(
            f'{path} holds a {type(checkpoint).__name__}, expected a checkpoint'
        )
    return dict(checkpoint)


def _build(
    config: Mapping[str, Any], checkpoint: Mapping[str, Any], path: Path
) -> nn.Module:
    model = build_model({'default_scope': 'mmseg', 'model': config})
    load_weights(model, checkpoint, path)
    damaged = [k for k, v in model.state_dict().items() if not v.isfinite().all()]
    if damaged:
        raise ValueError(
            f'{len(damaged)} of its tensors hold NaN or infinity, first '
            f'{damaged[0]!r}; take a checkpoint from before the training diverged'
        )
    return model


def _choose_targets(
    found: Mapping[str, tuple[str, ...]],
    choices: Sequence[Mapping[str, Sequence[str]]],
) -> dict[str, tuple[str, ...]]:
    """Targets that a stage reads, of those that a model has.

    Raises:
        ValueError: None of the choices is there, or their classes are others.
    """
    for needed in choices:
        if not set(needed) <= set(found):
            continue
        for target, accepted in needed.items():
            _check_classes(target, found[target], accepted)
        return {target: tuple(found[target]) for target in needed}
    wanted = ' or '.join(' and '.join(map(repr, needed)) for needed in choices)
    have = {name: list(classes) for name, classes in found.items()}
    raise ValueError(f'it classifies {have}, expected {wanted}')


def _check_classes(target: str, found: Sequence[str], accepted: Sequence[str]) -> None:
    known = SPINE_TARGETS[target]
    unknown = [name for name in found if name not in known]
    missing = [name for name in accepted if name not in found]
    if unknown or len(set(found)) < len(found):
        raise ValueError(
            f'its classes of {target!r} are {list(found)}, expected some of '
            f'{list(known)}, each once'
        )
    if missing:
        raise ValueError(
            f'its classes of {target!r} are {list(found)}, without {missing}, which '
            'the settings accept; accept other classes or take other weights'
        )


def _read_temperatures(
    path: Path, checkpoint: Mapping[str, Any], targets: Mapping[str, Any]
) -> dict[str, float]:
    entry = read_calibration(
        path.with_name(path.stem + CALIBRATION), checkpoint['meta'].get('iter')
    )
    return {
        name: float(entry.get(name, {}).get('temperature', 1.0)) for name in targets
    }


def _explain(path: Path, stage: str, error: Exception) -> WeightsError:
    reason = str(error).removeprefix(f'{path}: ').removeprefix(f'{path} ')
    return WeightsError(f'{path}: not the weights of the stage {stage!r}: {reason}')


def _name_model(config: Mapping[str, Any]) -> str:
    """The innermost network of a configuration, e.g. ``'efficientvit_m5'``."""
    part: Any = config
    while isinstance(part, Mapping):
        inner = part.get('network') or part.get('backbone')
        if not isinstance(inner, Mapping):
            break
        part = inner
    name = part.get('model') or str(part.get('type', '')).rpartition('.')[2]
    return str(name)
