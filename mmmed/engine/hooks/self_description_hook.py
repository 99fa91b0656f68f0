"""Checkpoints of classifiers that say what they are."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmmed.engine.hooks.class_balance_hook import (
    count_targets,
    find_dataset,
    find_head,
)
from mmmed.registry import HOOKS

from .described_data import describe_split, read_test_dataset, to_plain

KEY = 'classification'
SCHEMA_VERSION = 1
# Where the data lie is no property of the model.
_PLACES = (
    'data_root', 'ann_file', 'data_prefix', 'pipeline', 'split', 'fold', 'role', 'seed',
    'split_file', 'labelled', 'repeat',
    'indices', 'serialize_data', 'test_mode', 'lazy_init', 'max_refetch', 'metainfo',
)  # fmt: skip


@HOOKS.register_module()
class SelfDescriptionHook(Hook):
    """Put into every checkpoint what is needed to use it, as plain values.

    ``meta['classification']`` has ``targets`` (class names of each), ``sequences``,
    ``normalisation``, ``split`` (hash of the assignment of patients, fold), the class
    counts of the training fold, the configuration of the model, of the data set and of
    the test pipeline. ``tools/classify.py`` needs no other file.
    """

    priority = 'NORMAL'

    def __init__(self) -> None:
        self._description: dict[str, Any] | None = None

    def before_train(self, runner: Runner) -> None:
        """Collect the description once."""
        self._description = describe_classifier(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add it."""
        if self._description is not None:
            checkpoint['meta'][KEY] = self._description


def describe_classifier(runner: Runner) -> dict[str, Any]:
    """Description of the model that a runner trains; see the hook.

    Raises:
        ValueError: A target of the head has other classes in the data set.
    """
    dataset = find_dataset(runner.train_dataloader)
    head = find_head(runner)
    meta = dataset.metainfo
    classes = meta.get('targets') or {}
    for name, count in head.targets.items():
        if len(classes.get(name, ())) != count:
            raise ValueError(
                f'the head has {count} classes of {name!r}, and the data '
                f'{list(classes.get(name, ()))}; correct targets of the head'
            )
    entry = read_test_dataset(runner.cfg)
    return {
        'schema_version': SCHEMA_VERSION,
        'dataset_name': meta.get('dataset'),
        'targets': {name: list(classes[name]) for name in head.targets},
        'sequences': to_plain(
            getattr(dataset, 'sequences', None) or meta.get('sequences')
        ),
        'normalisation': to_plain(meta.get('normalisation')),
        'split': describe_split(runner.train_dataloader.dataset),
        'class_counts': count_targets(runner.train_dataloader.dataset, head.targets),
        'model': to_plain(runner.cfg.get('model') or {}),
        'dataset': {k: v for k, v in entry.items() if k not in _PLACES},
        'pipeline': entry.get('pipeline', []),
    }
