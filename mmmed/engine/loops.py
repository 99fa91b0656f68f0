"""Training loops whose resumed run equals the run that was never interrupted."""

from typing import Any

import numpy as np
import torch
from mmengine.dist import all_reduce_dict, get_dist_info
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from mmengine.runner.loops import _InfiniteDataloaderIterator

from mmmed.registry import LOOPS


@LOOPS.register_module()
class ResumableIterLoop(IterBasedTrainLoop):
    """Iteration-based training that can be killed at any step and continued.

    Four things differ from the host's ``IterBasedTrainLoop``:

    - A resumed run moves the sampler to its position instead of loading and
      dropping all batches seen so far (hours late in a long training). The sampler
      needs an attribute ``start``, its position in the stream of all ranks; without
      one the host's way is used.
    - What torch draws in an iteration (dropout) depends on the seed, the iteration
      and the rank alone, not on what ran before.
    - With several processes the logged losses are means over all of them; the host
      logs those of the first, so its curve is not that of the doubled batch.
    - A checkpoint is written before the validation of the same iteration, so a
      resumed run repeats that validation; otherwise the best checkpoint could be
      missed.

    Args:
        *args: As for ``mmengine.runner.IterBasedTrainLoop``.
        **kwargs: The same.
    """

    def run(self) -> torch.nn.Module:
        """Train to the last iteration, or until a hook stops it."""
        self.runner.call_hook('before_train')
        self.runner.call_hook('before_train_epoch')
        if self._iter > 0:
            self._move_data()
            self._validate_if_due()
        while self._iter < self._max_iters and not self.stop_training:
            self.runner.model.train()
            self.run_iter(next(self.dataloader_iterator))
            self._validate_if_due()
        self.runner.call_hook('after_train_epoch')
        self.runner.call_hook('after_train')
        return self.runner.model

    def run_iter(self, data_batch: Any) -> None:
        """One step, its random numbers drawn from (seed, iteration, rank)."""
        _seed_iteration(self.runner, self._iter)
        self.runner.call_hook(
            'before_train_iter', batch_idx=self._iter, data_batch=data_batch
        )
        outputs = self.runner.model.train_step(
            data_batch, optim_wrapper=self.runner.optim_wrapper
        )
        # Only losses are sure to exist in every process: other values may depend on
        # what the local batch shows.
        losses = {k: v for k, v in outputs.items() if 'loss' in k}
        all_reduce_dict(losses, op='mean')
        outputs.update(losses)
        self.runner.call_hook(
            'after_train_iter',
            batch_idx=self._iter,
            data_batch=data_batch,
            outputs=outputs,
        )
        self._iter += 1

    def _validate_if_due(self) -> None:
        self._decide_current_val_interval()
        is_due = self._iter % self.val_interval == 0 or self._iter == self._max_iters
        if self.runner.val_loop is not None and self._iter >= self.val_begin and is_due:
            self.runner.val_loop.run()

    def _move_data(self) -> None:
        # A batch sampler of ours has ``start`` itself; an ordinary one wraps a
        # sampler that has it.
        batches = self.dataloader.batch_sampler
        sampler = batches if hasattr(batches, 'start') else self.dataloader.sampler
        if hasattr(sampler, 'start'):
            _, world_size = get_dist_info()
            sampler.start = self._iter * batches.batch_size * world_size
            self.dataloader_iterator = _InfiniteDataloaderIterator(self.dataloader)
            return
        self.runner.logger.warning(
            f'{type(sampler).__name__} has no position to resume from: loading '
            f'{self._iter} batches that were already trained on'
        )
        for _ in range(self._iter):
            next(self.dataloader_iterator)


@LOOPS.register_module()
class ResumableEpochLoop(EpochBasedTrainLoop):
    """Epoch-based training that can be killed at any step and goes on at its epoch.

    As in :class:`ResumableIterLoop`, what torch draws in an iteration depends on the
    seed, the iteration and the rank alone, and a validation that a kill has cut short
    is repeated. Samplers whose epochs follow from seed and number, such as
    ``mmmed.ForegroundSampler(epoch_length='dataset')``, make the rest the same.

    Args:
        *args: As for ``mmengine.runner.EpochBasedTrainLoop``.
        **kwargs: The same.
    """

    def run(self) -> torch.nn.Module:
        """Train to the last epoch, or until a hook stops it."""
        self.runner.call_hook('before_train')
        if self._epoch > 0:
            self._validate_if_due()
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._validate_if_due()
        self.runner.call_hook('after_train')
        return self.runner.model

    def run_iter(self, idx: int, data_batch: Any) -> None:
        """One step, its random numbers drawn from (seed, iteration, rank)."""
        _seed_iteration(self.runner, self._iter)
        super().run_iter(idx, data_batch)

    def _validate_if_due(self) -> None:
        self._decide_current_val_interval()
        is_due = self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs
        if (
            self.runner.val_loop is not None
            and self._epoch >= self.val_begin
            and is_due
        ):
            self.runner.val_loop.run()


def _seed_iteration(runner: Runner, iteration: int) -> None:
    if runner.seed is not None:
        rank, _ = get_dist_info()
        key = np.random.SeedSequence((runner.seed, iteration, rank))
        torch.manual_seed(int(key.generate_state(1)[0]))
