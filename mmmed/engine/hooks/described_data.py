"""What checkpoints and records say about the data behind a loader.

Not here: what they say about the model (the description hooks).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmmed.structures.manifest import Manifest


def find_parts(dataset: Any) -> list[Any]:
    """Data sets without the host's wrappers: one, or those that are joined."""
    while hasattr(dataset, 'dataset'):
        dataset = dataset.dataset
    if not hasattr(dataset, 'datasets'):
        return [dataset]
    return [part for each in dataset.datasets for part in find_parts(each)]


def find_manifest(dataset: object) -> Path | None:
    """The manifest that a data set reads; None without one, or with several."""
    found = {getattr(part, 'ann_file', None) for part in find_parts(dataset)}
    path = found.pop() if len(found) == 1 else None
    return Path(path) if path and Path(path).is_file() else None


def find_split_hash(dataset: object) -> str | None:
    """Hash of who is where, in the split that a data set reads.

    That need not be the split of its manifest: ``split_file`` names another.
    """
    hashes = {
        (getattr(part, 'metainfo', None) or {}).get('split_hash')
        for part in find_parts(dataset)
    }
    if len(hashes) == 1 and None not in hashes:
        return str(hashes.pop())
    manifest = find_manifest(dataset)
    return Manifest.read(manifest).split_hash if manifest else None


def describe_split(dataset: object) -> dict[str, Any]:
    """``split_hash``, ``manifest``, ``fold`` and ``num_folds`` of a data set."""
    manifest = find_manifest(dataset)
    first = find_parts(dataset)[0]
    return {
        'split_hash': find_split_hash(dataset),
        'manifest': manifest.name if manifest else None,
        'fold': getattr(first, 'fold', None),
        'num_folds': first.metainfo.get('num_folds'),
    }


def read_test_dataset(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """Configuration of the innermost data set that a recipe tests, as plain values.

    Not that of the training, whose pipeline draws random numbers.
    """
    loader = cfg.get('test_dataloader') or cfg.get('val_dataloader') or {}
    entry = to_plain(loader.get('dataset') or {})
    while 'dataset' in entry or 'datasets' in entry:
        entry = entry['dataset'] if 'dataset' in entry else entry['datasets'][0]
    return dict(entry)


def to_plain(value: Any) -> Any:
    """Built-in types only, which load without trust."""
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)
