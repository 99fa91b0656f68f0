"""What a classifier's checkpoint says about itself, read without trusting it.

Weights load without running code (``mmmed.checkpoint``); a configuration has to be
watched too, because the host imports and calls whatever ``type`` names. Not here:
building the model (``classifier_models``).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

KEY = 'classification'
SCHEMA_VERSION = 1
# Values that options named "type" may have: class weights of a target of that name.
_WORDS = ('inverse', 'balanced')
_Parsed = TypeVar('_Parsed')


@dataclass(frozen=True)
class ClassifierDescription:
    """Entry ``meta['classification']`` of a checkpoint.

    Args:
        targets: Class names by target.
        sequences: Names, in the order of the network's inputs.
        model: Configuration of the model.
        dataset: Configuration of the data set, without where it lies.
        pipeline: Configuration of the test pipeline.
        split: ``split_hash`` and ``fold`` of the training, and more.
        normalisation: Of each sequence, as the data were prepared; None if unknown.
        dataset_name: Name of the data set of the training.
    """

    targets: Mapping[str, tuple[str, ...]]
    sequences: tuple[str, ...]
    model: Mapping[str, Any]
    dataset: Mapping[str, Any]
    pipeline: Sequence[Mapping[str, Any]]
    split: Mapping[str, Any]
    normalisation: Any = None
    dataset_name: str | None = None


def read_description(
    checkpoint: Mapping[str, Any], path: str | Path
) -> ClassifierDescription:
    """Description of a loaded checkpoint.

    Args:
        checkpoint: As ``load_checkpoint_safely`` gives it.
        path: For messages.

    Raises:
        ValueError: It has none, it is damaged, or it names a part that is not ours.
    """
    missing = (
        'does not say which classes and sequences it was trained on; train '
        "with dict(type='mmmed.SelfDescriptionHook') in custom_hooks"
    )
    return parse_entry(checkpoint, path, KEY, SCHEMA_VERSION, _read_entry, missing)


def parse_entry(
    checkpoint: Mapping[str, Any],
    path: str | Path,
    key: str,
    version: int,
    parse: Callable[[Mapping[str, Any]], _Parsed],
    missing: str,
) -> _Parsed:
    """What a checkpoint says of itself below one key of its ``meta``.

    Args:
        checkpoint: As ``load_checkpoint_safely`` gives it.
        path: For messages.
        key: Of the entry.
        version: Its ``schema_version``.
        parse: From the entry to what it means.
        missing: What a checkpoint without the entry lacks, and the remedy.

    Raises:
        ValueError: There is no entry, it is of another version, or not usable.
    """
    meta = checkpoint.get('meta')
    entry = meta.get(key) if isinstance(meta, Mapping) else None
    if not isinstance(entry, Mapping):
        raise ValueError(f'{path} {missing}')
    if entry.get('schema_version') != version:
        raise ValueError(
            f'{path} has a description of version {entry.get("schema_version")!r}, '
            f'expected {version}'
        )
    try:
        return parse(entry)
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise ValueError(f'{path}: its description is not usable: {error}') from error


def _read_entry(entry: Mapping[str, Any]) -> ClassifierDescription:
    # Exported networks run where the host is not installed.
    from mmmed.registry import DATASETS, MODELS, TRANSFORMS

    targets = {
        str(name): tuple(str(label) for label in labels)
        for name, labels in entry['targets'].items()
    }
    if not targets or any(len(labels) < 2 for labels in targets.values()):
        raise ValueError(f'targets are {targets}, expected two classes or more each')
    model = sanitize(entry['model'])
    check_parts(model, MODELS)
    dataset = dict(entry['dataset'])
    check_parts(dataset, DATASETS)
    pipeline = [dict(step) for step in entry['pipeline']]
    check_parts(pipeline, TRANSFORMS)
    return ClassifierDescription(
        targets=targets,
        sequences=tuple(str(name) for name in entry['sequences'] or ()),
        model=model,
        dataset=dataset,
        pipeline=pipeline,
        split=dict(entry.get('split') or {}),
        normalisation=entry.get('normalisation'),
        dataset_name=entry.get('dataset_name'),
    )


def sanitize(value: Any) -> Any:
    """A configuration without what would load or fetch other weights."""
    if isinstance(value, Mapping):
        kept = {k: sanitize(v) for k, v in value.items() if k != 'init_cfg'}
        if 'pretrained' in kept:
            kept['pretrained'] = False if isinstance(kept['pretrained'], bool) else None
        return kept
    if isinstance(value, list | tuple):
        return [sanitize(item) for item in value]
    return value


def check_parts(value: Any, registry: Any) -> None:
    """Refuse a configuration that names anything but registered parts of mmmed.

    Args:
        value: Configuration; every ``type`` in it is looked at.
        registry: Where its parts have to be registered.

    Raises:
        ValueError: A part is not registered there.
    """
    if isinstance(value, Mapping):
        if '_scope_' in value:
            raise ValueError('it names a scope, expected parts of mmmed alone')
        name = value.get('type')
        if isinstance(name, str) and name not in _WORDS:
            _check_name(name, registry)
        for item in value.values():
            check_parts(item, registry)
    elif isinstance(value, list | tuple):
        for item in value:
            check_parts(item, registry)


def _check_name(name: str, registry: Any) -> None:
    # Before any model of the host's is imported.
    import mmmed.compat  # noqa: F401

    registry.import_from_location()
    scope, _, own = name.partition('.')
    if scope != 'mmmed' or own not in registry.module_dict:
        raise ValueError(
            f'it names {name!r}, which is no {registry.name} of mmmed; only those are '
            'built from a checkpoint'
        )
