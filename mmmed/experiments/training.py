"""How an experiment is trained: epochs, optimizer, rate, precision.

Not here: data (``data``), the model (``models``), hooks and logs (``callbacks``).
"""

from typing import Any

from mmmed.experiments.callbacks import convert_callbacks
from mmmed.experiments.models import ModelPart
from mmmed.experiments.section import (
    Report,
    Section,
    simplify_name,
    to_number,
)

Config = dict[str, Any]
# Options of torch's optimizers that experiments may set, beside the rate.
_ADAM = ('betas', 'eps', 'weight_decay', 'amsgrad')
_OPTIMIZERS = {
    'Adadelta': ('rho', 'eps', 'weight_decay'),
    'Adagrad': ('lr_decay', 'eps', 'weight_decay', 'initial_accumulator_value'),
    'Adam': _ADAM,
    'AdamW': _ADAM,
    'Adamax': ('betas', 'eps', 'weight_decay'),
    'NAdam': ('betas', 'eps', 'weight_decay', 'momentum_decay'),
    'RAdam': ('betas', 'eps', 'weight_decay'),
    'RMSprop': ('alpha', 'eps', 'weight_decay', 'momentum', 'centered'),
    'SGD': ('momentum', 'dampening', 'weight_decay', 'nesterov'),
}


def convert_trainer(section: Section, part: ModelPart, report: Report) -> Config:
    """Everything of the trainer but its data loaders.

    Args:
        section: ``trainer`` of the experiment.
        part: The model.
        report: Takes what the user should know.

    Raises:
        ValueError: A number is absent or impossible.
    """
    section.skip('name')
    epochs = section.take_number('epochs', low=1, high=1e6, whole=True)
    every = section.take_number('val_every', 1, low=1, whole=True)
    log_every = section.take_number('log_every', 50, low=1, whole=True)
    gpus = section.take('gpus', 1)
    count = len(gpus) if isinstance(gpus, list) else gpus
    if isinstance(count, int) and count > 1:
        report.note(section.path('gpus'), f'"mim train ... --gpus {count}" uses them')
    lr = section.take_section('lr')
    rate = lr.take_number('init_value', low=1e-12, high=1e3)
    schedule = _convert_schedule(lr.take_section('scheduler'), rate, epochs, report)
    lr.close()
    return {
        'train_cfg': {
            'type': 'mmmed.ResumableEpochLoop',
            'max_epochs': epochs,
            'val_interval': every,
        },
        'val_cfg': {'type': 'ValLoop'},
        'test_cfg': {'type': 'TestLoop'},
        'optim_wrapper': {
            'type': _read_precision(section, report),
            'optimizer': _convert_optimizer(
                section.take_section('optimizer'), rate, report
            ),
        },
        'param_scheduler': schedule,
        'log_processor': {'by_epoch': True},
        **convert_callbacks(section, part, every, log_every, report),
    }


def _read_precision(section: Section, report: Report) -> str:
    value = str(section.take('precision', 32)).lower()
    if value in ('16', '16-mixed', 'fp16'):
        report.note(section.path('precision'), 'mixed precision needs a GPU')
        return 'AmpOptimWrapper'
    if value not in ('32', '32-true', 'fp32'):
        report.unmatched(
            section.path('precision'), f'{value}: 16 (mixed) or 32 here; 32 is used'
        )
    return 'OptimWrapper'


def _convert_optimizer(section: Section, rate: float, report: Report) -> Config:
    name = section.take('name', 'Adam')
    known = {simplify_name(kind): kind for kind in _OPTIMIZERS}
    if simplify_name(name) not in known:
        raise ValueError(
            f'{section.path("name")}: {name!r}, expected one of '
            f'{", ".join(_OPTIMIZERS)}'
        )
    kind = known[simplify_name(name)]
    params = section.take('params') or {}
    if not isinstance(params, dict):
        raise ValueError(f'{section.path("params")}: expected a mapping')
    used = {}
    for key, value in params.items():
        if key == 'lr':
            report.note(section.path('params.lr'), 'lr.init_value is the rate')
        elif key in _OPTIMIZERS[kind]:
            used[key] = to_number(value)
        else:
            report.unmatched(
                section.path(f'params.{key}'), f'{kind} has no such option'
            )
    if used:
        report.mended(
            section.path('params'), 'the reference ignores them; they are used here'
        )
    section.close()
    return {'type': kind, 'lr': rate, **used}


def _convert_schedule(
    section: Section, rate: float, epochs: int, report: Report
) -> list[Config]:
    """Schedules of timm, which count epochs."""
    name = simplify_name(section.take('name')).removesuffix('scheduler')
    params = section.take_section('params')
    warmup = params.take_number('warmup_t', 0, high=epochs - 1, whole=True)
    start = params.take_number('warmup_lr_init', 0.0, high=1e3)
    params.skip('t_initial', 't_in_epochs', 'warmup_prefix', 'cycle_mul')
    if params.take_number('cycle_limit', 1, whole=True) > 1:
        report.unmatched(params.path('cycle_limit'), 'one cycle over all epochs here')
    if params.take('cycle_decay') is not None:
        report.note(
            params.path('cycle_decay'),
            'without effect: there is one cycle, in timm too',
        )
    span = {'begin': 0, 'end': epochs, 'by_epoch': True}
    after = {**span, 'begin': warmup}
    schedules: list[Config] = []
    least = params.take_number('lr_min', 0.0, high=1e3)
    factor = params.take_number('decay_rate', 0.1, high=1)
    if name.removesuffix('lr') == 'cosine':
        schedules = [
            {
                'type': 'CosineAnnealingLR',
                'T_max': epochs - warmup,
                'eta_min': least,
                **after,
            }
        ]
    elif name.removesuffix('lr') == 'step':
        step = params.take_number('decay_t', 1, low=1, whole=True)
        schedules = [{'type': 'StepLR', 'step_size': step, 'gamma': factor, **span}]
    elif name.removesuffix('lr') == 'multistep':
        marks = params.take('decay_t', [])
        if not isinstance(marks, list) or not all(isinstance(n, int) for n in marks):
            raise ValueError(f'{params.path("decay_t")}: expected a list of epochs')
        schedules = [
            {'type': 'MultiStepLR', 'milestones': marks, 'gamma': factor, **span}
        ]
    elif name.removesuffix('lr') in ('poly', 'polynomial'):
        power = params.take_number('power', 0.5, high=100)
        schedules = [{'type': 'PolyLR', 'power': power, 'eta_min': least, **after}]
    elif name not in ('', 'none'):
        report.unmatched(
            section.path('name'), 'no such schedule here; the rate stays as it is'
        )
    params.close('the schedule has no such option here')
    section.close()
    if warmup:
        report.note(params.path('warmup_t'), 'the schedule begins after the warm-up')
        ratio = min(1.0, max(start / rate, 1e-6))
        schedules.insert(
            0,
            {
                'type': 'LinearLR',
                'start_factor': ratio,
                'begin': 0,
                # The last of its epochs has the whole rate.
                'end': warmup + 1,
                'by_epoch': True,
            },
        )
    return schedules
