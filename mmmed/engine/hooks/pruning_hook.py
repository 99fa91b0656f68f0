"""Filters removed while a network is trained."""

from collections import Counter
from typing import Any

import numpy as np
from mmengine.hooks import EMAHook, Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import IterBasedTrainLoop, Runner
from torch import nn

from mmmed.engine.hooks.filter_saliency import SaliencyCollector, score_filters
from mmmed.engine.hooks.pruned_optimizer import list_optimizers, replace_parameters
from mmmed.functional.filter_pruning import (
    MODES,
    choose_filters,
    compute_dropout_rates,
)
from mmmed.registry import HOOKS

KEY = 'pruning'
SCHEMA_VERSION = 1


@HOOKS.register_module()
class STAMPPruningHook(Hook):
    """Simultaneous training and model pruning of networks such as ``SpinalUNet``.

    Every ``prune_every`` epochs (iterations) the filters of least saliency over all
    layers are removed, one filter of one layer at a time, never the last of a layer;
    training in between recovers. Targeted dropout then makes the layers that will
    probably lose filters next ready for it. The optimizer keeps the momenta of what
    stays. Whether a run was interrupted makes no difference.

    Checkpoints have ``pruning``: the architecture as plain values (filters of every
    layer), the history, and what a resumed run needs. ``model.backbone.architecture``
    of the runner's configuration, and so of the checkpoint's, is kept up to date.
    Loading such a checkpoint in a runner with this hook, to resume, to test or to
    fine-tune, gives the network its pruned form first.

    Args:
        mode: ``'taylor'``: |mean of activation x gradient|; ``'l1'``, ``'l2'``: size of
            the weights; ``'random'``.
        num_filters: How many to remove at a time; 1 unless ``percentage`` is given.
        percentage: Instead, this part of the filters that there are, in (0, 100),
            rounded down, at least one.
        prune_every: Epochs or iterations from one pruning to the next, >= 1: those in
            which the network recovers.
        start: Epochs or iterations before the first such interval, >= 0.
        recovery: Epochs or iterations at the end in which nothing is removed, >= 0.
        until: Removal ends when this share of the parameters is gone (a float in
            (0, 1)), or after this epoch or iteration (a whole number).
        span: Epochs or iterations before each pruning over which ``'taylor'`` collects;
            one epoch, or all iterations of the interval, unless said.
        dropout_base: Largest rate of the targeted dropout, in [0, 1); 0: none.
        dropout_initial: Rate before the first pruning, in [0, 1).
        by_epoch: Whether all these are epochs, and not iterations.
        network: Attribute of the model that is pruned.
        seed: Of ``'random'``.

    Raises:
        ValueError: An argument is impossible; at the start of training: the network
            cannot be pruned, is distributed, or is averaged by an ``EMAHook``.

    Source:
        Dinsdale et al. 2022, doi:10.1016/j.media.2022.102583. Differs: saliency is
        collected in the training steps, not in a pass of its own; transposed
        convolutions and attention gates are pruned too; momenta are kept.
    """

    # After the steps, before checkpoints and validation.
    priority = 'ABOVE_NORMAL'

    def __init__(
        self,
        *,
        mode: str = 'taylor',
        num_filters: int | None = None,
        percentage: float | None = None,
        prune_every: int = 5,
        start: int = 0,
        recovery: int = 0,
        until: float | int = 0.85,
        span: int | None = None,
        dropout_base: float = 0.1,
        dropout_initial: float = 0.005,
        by_epoch: bool = True,
        network: str = 'backbone',
        seed: int = 0,
    ) -> None:
        if mode not in MODES:
            raise ValueError(f'mode must be one of {MODES}, got {mode!r}')
        if num_filters is None and percentage is None:
            num_filters = 1
        _check_amount(num_filters, percentage)
        _check_schedule(prune_every, start, recovery, until, span)
        if not (0 <= dropout_base < 1 and 0 <= dropout_initial < 1):
            raise ValueError(
                'dropout_base and dropout_initial must lie in [0, 1), got '
                f'{dropout_base} and {dropout_initial}'
            )
        self.mode = mode
        self.num_filters = num_filters
        self.percentage = percentage
        self.prune_every = prune_every
        self.start = start
        self.recovery = recovery
        self.until = until
        self.span = span or (1 if by_epoch else prune_every)
        self.dropout_base = dropout_base
        self.dropout_initial = dropout_initial
        self.by_epoch = by_epoch
        self.network = network
        self.seed = seed
        self._collector = SaliencyCollector()
        self._initial = 0
        self._history: list[dict[str, Any]] = []
        self._rates: dict[str, float] = {}
        self._is_done = False

    def before_train(self, runner: Runner) -> None:
        """Check that this run can be pruned; dropout as it has to be."""
        self._check_run(runner)
        network = self._find(runner)
        if not self._initial:
            self._initial = count_parameters(network)
        if not self._rates and self.dropout_base > 0:
            self._rates = dict.fromkeys(network.architecture, self.dropout_initial)
        _set_dropout(network, self._rates)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Listen to the step, if it counts for the next pruning."""
        step = self._count_steps(runner)
        left = -(step - self.start) % self.prune_every
        if step <= self.start or left >= self.span:
            return
        is_first = left == self.span - 1
        if is_first and (not self.by_epoch or batch_idx == 0):
            self._collector.clear()
        if self.mode == 'taylor' and self._may_prune(runner, step + left):
            self._collector.attach(self._find(runner).find_filter_groups())

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Stop listening; prune, if iterations are counted and it is time."""
        self._collector.detach()
        if not self.by_epoch:
            self._prune_if_due(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Prune, if epochs are counted and it is time."""
        if self.by_epoch:
            self._prune_if_due(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Store the architecture and what a resumed run needs."""
        checkpoint[KEY] = {
            'schema_version': SCHEMA_VERSION,
            'architecture': dict(self._find(runner).architecture),
            'initial_parameters': self._initial,
            'history': [dict(entry) for entry in self._history],
            'dropout': dict(self._rates),
            'saliency': {n: v.cpu() for n, v in self._collector.sums.items()},
            'is_done': self._is_done,
        }

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Give the network the form of the checkpoint, before weights are loaded."""
        state = checkpoint.get(KEY)
        if state is None:
            return
        network = self._find(runner)
        cuts = network.shrink_to(state['architecture'])
        self._announce(runner, network, cuts)
        # Fine-tuning starts to count anew.
        if runner._resume:
            self._initial = state['initial_parameters']
            self._history = list(state['history'])
            self._rates = dict(state['dropout'])
            self._collector.sums = dict(state['saliency'])
            self._is_done = state['is_done']

    def _prune_if_due(self, runner: Runner) -> None:
        step = self._count_steps(runner)
        passed = step - self.start
        if passed <= 0 or passed % self.prune_every:
            return
        if self._may_prune(runner, step):
            self._prune(runner, step)

    def _prune(self, runner: Runner, step: int) -> None:
        network = self._find(runner)
        groups = network.find_filter_groups()
        saliency = score_filters(
            groups,
            self.mode,
            sums=self._collector.sums,
            rng=np.random.default_rng((self.seed, step)),
        )
        self._collector.clear()
        if self.dropout_base > 0:
            self._rates = compute_dropout_rates(saliency, self.dropout_base)
            _set_dropout(network, self._rates)
        total = sum(len(values) for values in saliency.values())
        count = self.num_filters or max(1, int(total * (self.percentage or 0) / 100))
        chosen = choose_filters(saliency, count)
        cuts = []
        for name in groups:
            indices = [index for group, index in chosen if group == name]
            if indices:
                cuts += network.remove_filters(name, indices)
        self._announce(runner, network, cuts)
        self._note(runner, step, Counter(name for name, _ in chosen), network)
        if len(chosen) < count:
            self._is_done = True

    def _note(
        self, runner: Runner, step: int, removed: Counter[str], network: Any
    ) -> None:
        left = count_parameters(network)
        self._history.append(
            {'step': step, 'removed': dict(removed), 'parameters': left}
        )
        share = 1 - left / self._initial
        self._is_done = isinstance(self.until, float) and share >= self.until
        runner.message_hub.update_scalar('train/parameters', left)
        runner.logger.info(
            f'pruned {removed.total()} filters ({dict(removed)}): {left:,} parameters, '
            f'{share:.1%} removed'
        )

    def _announce(self, runner: Runner, network: Any, cuts: list[Any]) -> None:
        """Tell optimizer and configuration."""
        for optimizer in list_optimizers(runner.optim_wrapper):
            replace_parameters(optimizer, cuts)
        part = (runner.cfg.get('model') or {}).get(self.network)
        if part is not None:
            part['architecture'] = dict(network.architecture)

    def _may_prune(self, runner: Runner, step: int) -> bool:
        loop: Any = runner.train_loop
        last = (loop.max_epochs if self.by_epoch else loop.max_iters) - self.recovery
        if not isinstance(self.until, float):
            last = min(last, self.until)
        return not self._is_done and step <= last

    def _count_steps(self, runner: Runner) -> int:
        # The runner counts an epoch, or an iteration, after its hooks.
        return (runner.epoch if self.by_epoch else runner.iter) + 1

    def _find(self, runner: Runner) -> Any:
        model: Any = runner.model
        model = model.module if is_model_wrapper(model) else model
        network = getattr(model, self.network, None)
        if not hasattr(network, 'find_filter_groups'):
            raise ValueError(
                f'model.{self.network} is {type(network).__name__}, whose filters '
                'cannot be pruned; use mmmed.SpinalUNet'
            )
        return network

    def _check_run(self, runner: Runner) -> None:
        if is_model_wrapper(runner.model):
            raise ValueError('pruning works in one process; train on one device')
        if any(isinstance(hook, EMAHook) for hook in runner.hooks):
            raise ValueError(
                'an EMAHook keeps weights that cannot be pruned; remove it'
            )
        if self.by_epoch and isinstance(runner.train_loop, IterBasedTrainLoop):
            raise ValueError(
                'by_epoch=True, and the training counts iterations; set by_epoch=False'
            )


def count_parameters(network: nn.Module) -> int:
    """Trainable and frozen parameters, without running statistics."""
    return sum(p.numel() for p in network.parameters())


def _set_dropout(network: Any, rates: dict[str, float]) -> None:
    for name, group in network.find_filter_groups().items():
        if group.dropout is not None and name in rates:
            group.dropout.p = rates[name]


def _check_amount(num_filters: int | None, percentage: float | None) -> None:
    if num_filters is not None and percentage is not None:
        raise ValueError('give num_filters or percentage, not both')
    if num_filters is not None and num_filters < 1:
        raise ValueError(f'num_filters must be >= 1, got {num_filters}')
    if percentage is not None and not 0 < percentage < 100:
        raise ValueError(f'percentage must lie in (0, 100), got {percentage}')


def _check_schedule(
    prune_every: int, start: int, recovery: int, until: float | int, span: int | None
) -> None:
    if prune_every < 1 or min(start, recovery) < 0:
        raise ValueError(
            'prune_every must be >= 1, start and recovery >= 0, got '
            f'{prune_every}, {start} and {recovery}'
        )
    if span is not None and not 1 <= span <= prune_every:
        raise ValueError(f'span must lie in 1..prune_every, got {span}')
    if isinstance(until, float) and not 0 < until < 1:
        raise ValueError(f'until, as a share, must lie in (0, 1), got {until}')
    if not isinstance(until, float) and until < 1:
        raise ValueError(f'until, as a step, must be >= 1, got {until}')
