"""Class weights from the training fold alone."""

from collections.abc import Iterable, Mapping
from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmmed.functional.classification_weights import count_classes
from mmmed.registry import HOOKS

from .described_data import find_parts


@HOOKS.register_module()
class ClassBalanceHook(Hook):
    """Tell the head how often each class occurs in what it is trained on.

    A head with ``class_weight='balanced'`` or ``'inverse'`` waits for it. Cases of
    other folds do not count: a published recipe that counted all cases let its test
    set into the loss.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Count the labels of the training set; no image is opened."""
        head = find_head(runner)
        if not getattr(head, 'needs_class_counts', False):
            return
        counts = count_targets(runner.train_dataloader.dataset, head.targets)
        head.set_class_counts(counts)
        runner.logger.info(f'classes of the training fold: {counts}')


def find_head(runner: Runner) -> Any:
    """Head of the model, without its distributed wrapper; None if it has none."""
    model: Any = runner.model
    return getattr(model.module if is_model_wrapper(model) else model, 'head', None)


def find_dataset(loader: Any) -> Any:
    """Data set of a loader, without the host's wrappers; the first of several."""
    return find_parts(loader.dataset)[0]


def count_targets(dataset: Any, targets: Mapping[str, int]) -> dict[str, list[int]]:
    """Labelled cases of each class, by target.

    Args:
        dataset: Its entries have ``targets``; a wrapper counts as what it wraps.
        targets: Number of classes by name.
    """
    while hasattr(dataset, 'dataset'):
        dataset = dataset.dataset
    labels: dict[str, list[int]] = {name: [] for name in targets}
    for entry in _list_entries(dataset):
        for name, found in labels.items():
            label = entry['targets'].get(name)
            found.append(-1 if label is None else int(label))
    return {
        name: count_classes(labels[name], count).tolist()
        for name, count in targets.items()
    }


def _list_entries(dataset: Any) -> Iterable[Mapping[str, Any]]:
    return (dataset.get_data_info(index) for index in range(len(dataset)))
