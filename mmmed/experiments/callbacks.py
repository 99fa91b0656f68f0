"""Callbacks and loggers of an experiment as hooks and backends.

Not here: the rest of its trainer (``training``).
"""

from typing import Any

from mmmed.experiments.models import ModelPart
from mmmed.experiments.section import Report, Section, simplify_name

Config = dict[str, Any]


def convert_callbacks(
    section: Section, part: ModelPart, every: int, log_every: int, report: Report
) -> Config:
    """Hooks of the host and of ours.

    Args:
        section: ``trainer`` of the experiment, of which it takes ``callbacks``.
        part: The model.
        every: Epochs between validations.
        log_every: Steps between lines of the log.
        report: Takes what the user should know.

    Raises:
        ValueError: A number is impossible.
    """
    best = (
        'cls/composite' if part.is_classifier else f'overlap/dice_patient_{part.target}'
    )
    checkpoint: Config = {
        'by_epoch': True,
        'interval': every,
        'max_keep_ckpts': 1,
        'save_best': best,
        'rule': 'greater',
    }
    hooks: list[Config] = []
    for callback in section.take_list('callbacks'):
        name = simplify_name(callback.take('name'))
        params = callback.take_section('params')
        if name == 'modelcheckpoint':
            _read_checkpoint(params, checkpoint, best, report)
        elif name == 'earlystopping':
            hooks.append(_convert_stopping(params, best, report))
        elif name == 'pruningcallback':
            hooks.append(convert_pruning(params, report))
        elif name == 'segmentationsampler':
            params.skip('num_samples', 'class_labels')
            report.unmatched(
                callback.key,
                'no pictures while it trains; tests write masks of every case, which '
                'tools/report.py shows',
            )
        elif name == 'learningratemonitor':
            params.skip('logging_interval')
        else:
            report.unmatched(callback.key, f'no callback {name!r} here')
            continue
        params.close('the callback has no such option here')
        callback.close()
    is_pruned = any(hook['type'] == 'mmmed.STAMPPruningHook' for hook in hooks)
    if part.pruning and not is_pruned:
        hooks.append(_prune_by_norm(part.pruning, report))
    if part.pruning or is_pruned:
        checkpoint['save_best'] = None
        report.note(
            section.path('callbacks'),
            'the last network is kept, as the best may be from before it was pruned',
        )
    return {
        'default_hooks': {
            'logger': {'interval': log_every, 'log_metric_by_epoch': True},
            'checkpoint': checkpoint,
        },
        'custom_hooks': hooks,
    }


def _read_checkpoint(
    params: Section, checkpoint: Config, best: str, report: Report
) -> None:
    monitor = str(params.take('monitor') or 'val_loss')
    params.skip('mode', 'filename', 'dirpath', 'verbose', 'save_last')
    params.skip('every_n_epochs', 'auto_insert_metric_name', 'save_weights_only')
    kept = params.take_number('save_top_k', 1, low=-1, high=1e6, whole=True)
    checkpoint['max_keep_ckpts'] = kept if kept > 0 else -1
    if kept > 1:
        report.note(
            params.path('save_top_k'), f'the last {kept} are kept, and the best one'
        )
    if monitor.startswith('train'):
        report.mended(
            params.path('monitor'),
            f'{monitor} chooses what is learnt by heart; {best} of the validation here',
        )
    elif 'loss' in monitor:
        report.note(
            params.path('monitor'),
            f'{monitor}: no loss is taken of validations; {best} chooses',
        )
    elif 'iou' in monitor.lower() or 'jaccard' in monitor.lower():
        checkpoint['save_best'] = best.replace('dice', 'iou')


def _convert_stopping(params: Section, best: str, report: Report) -> Config:
    monitor = str(params.take('monitor') or 'val_loss')
    params.skip('mode', 'verbose')
    if 'loss' in monitor:
        report.note(params.path('monitor'), f'{monitor}: {best} decides here')
    return {
        'type': 'mmmed.ResumableEarlyStoppingHook',
        'monitor': best,
        'rule': 'greater',
        'min_delta': params.take_number('min_delta', 0.0),
        'patience': params.take_number('patience', 3, low=1, whole=True),
    }


def convert_pruning(params: Section, report: Report) -> Config:
    """Hook of pruning, from the options of the published callback."""
    mode = simplify_name(params.take('mode', 'Taylor'))
    if mode not in ('taylor', 'l1', 'l2', 'random'):
        report.unmatched(params.path('mode'), f'{mode}: Taylor instead')
        mode = 'taylor'
    count = params.take_number('prune_percentage', 10, low=0, whole=True)
    report.mended(
        params.path('prune_percentage'), f'is a number of filters: {count} at a time'
    )
    every = params.take_number('prune_every_n_epochs', 5, low=1, whole=True)
    rounds = _take_any(params, ('total_iterations', 'iterations'), 5)
    return {
        'type': 'mmmed.STAMPPruningHook',
        'mode': mode,
        'num_filters': max(1, count),
        'prune_every': every,
        'until': every * rounds,
        'recovery': _take_any(params, ('recovery_epochs', 'recovery'), 10),
    }


def _take_any(params: Section, names: tuple[str, ...], default: int) -> int:
    """Whole number under the first of several names that is there."""
    name = next((name for name in names if name in params), names[0])
    return params.take_number(name, default, low=0, whole=True)


def _prune_by_norm(pruning: Config, report: Report) -> Config:
    report.mended(
        'model.recovery_epochs',
        'filters are removed with all that depends on them, one group at a time, and '
        'the optimizer follows (mmmed.STAMPPruningHook)',
    )
    return {
        'type': 'mmmed.STAMPPruningHook',
        'mode': 'l2',
        'num_filters': 1,
        'prune_every': pruning['recovery_epochs'],
        'dropout_base': pruning['b_drop'],
    }


def convert_loggers(
    sections: list[Section], *, project: str, name: str, report: Report
) -> list[Config]:
    """Backends of the visualizer; a local one is always there."""
    backends: list[Config] = [{'type': 'LocalVisBackend'}]
    for section in sections:
        kind = simplify_name(section.take('name'))
        if kind in ('wandb', 'weightsandbiases'):
            options = {'project': project, 'name': name}
            backends.append({'type': 'WandbVisBackend', 'init_kwargs': options})
            report.note(section.key, 'needs the package wandb')
        elif kind == 'mlflow':
            backends.append(
                {'type': 'MLflowVisBackend', 'exp_name': project, 'run_name': name}
            )
            report.note(section.key, 'needs the package mlflow')
        elif kind in ('tensorboard', 'csv'):
            backends.append({'type': 'TensorboardVisBackend'})
        else:
            report.unmatched(section.key, f'no logger {kind!r} here')
        section.skip('params')
        section.close('the logger has no such option here')
    return backends
