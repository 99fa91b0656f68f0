"""How fast the running statistics of batch normalization follow a training."""

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.nn.modules.batchnorm import _BatchNorm

from mmmed.registry import HOOKS


@HOOKS.register_module()
class NormMomentumHook(Hook):
    """Set the momentum of every batch normalization before training.

    Networks are tested with running statistics, an average over the last
    ``1 / momentum`` iterations or so. Published networks with 0.01 (TensorFlow's 0.99)
    were trained for hundreds of thousands of iterations; in a schedule of hundreds
    their statistics are those of weights long gone, and the test loses what the
    training gained. Rule of thumb: ``1 / momentum`` at most a twentieth of the
    schedule.

    Args:
        momentum: Weight of the newest batch, in (0, 1]: PyTorch's definition.

    Raises:
        ValueError: ``momentum`` is out of range.
    """

    priority = 'VERY_HIGH'

    def __init__(self, momentum: float) -> None:
        if not 0 < momentum <= 1:
            raise ValueError(f'momentum is {momentum}, expected a share in (0, 1]')
        self.momentum = momentum

    def before_train(self, runner: Runner) -> None:
        """Change the modules; how many is logged."""
        norms = [m for m in runner.model.modules() if isinstance(m, _BatchNorm)]
        for norm in norms:
            norm.momentum = self.momentum
        runner.logger.info(
            f'{len(norms)} batch normalizations follow with momentum {self.momentum}'
        )
