"""Early stopping whose patience survives a resume."""

from typing import Any

from mmengine.hooks import EarlyStoppingHook
from mmengine.runner import Runner

from mmmed.registry import HOOKS

_KEY = 'early_stopping'


@HOOKS.register_module()
class ResumableEarlyStoppingHook(EarlyStoppingHook):
    """MMEngine's ``EarlyStoppingHook`` with its state kept in the checkpoint.

    The host forgets the best score and the number of validations without progress,
    so an interrupted run trains longer than an uninterrupted one.

    Args:
        **kwargs: As for ``mmengine.hooks.EarlyStoppingHook``.
    """

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Store best score and count of validations without progress."""
        checkpoint[_KEY] = {
            'best_score': float(self.best_score),
            'wait_count': self.wait_count,
        }

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Take both back, if the run resumes and the checkpoint has them."""
        state = checkpoint.get(_KEY)
        if runner._resume and state is not None:
            self.best_score = state['best_score']
            self.wait_count = state['wait_count']
