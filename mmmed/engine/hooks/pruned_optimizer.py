"""An optimizer that goes on with parameters that were cut, and with their momenta."""

from collections.abc import Iterable, Iterator
from typing import Any

from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor
from torch.optim import Optimizer


def list_optimizers(wrapper: Any) -> Iterator[Optimizer]:
    """Optimizers inside a runner's wrapper; none of one that is not built yet."""
    if isinstance(wrapper, OptimWrapperDict):
        for part in wrapper.values():
            yield part.optimizer
    elif isinstance(wrapper, OptimWrapper):
        yield wrapper.optimizer


def replace_parameters(optimizer: Optimizer, cuts: Iterable[Any]) -> None:
    """Train the new parameters in the place of the old ones.

    What the optimizer keeps for each entry of a parameter (momenta) is cut as the
    parameter was; what it keeps for the whole (steps) stays. The optimizer remains
    the same object, so schedulers go on too.

    Args:
        optimizer: Changed in place.
        cuts: In the order in which they were made, each with ``old``, ``new``,
            ``axis`` and ``kept``. Parameters that it does not train are passed over.

    Raises:
        ValueError: The optimizer keeps something of another shape, which cannot be
            cut.
    """
    for cut in cuts:
        for group in optimizer.param_groups:
            params = group['params']
            for i, param in enumerate(params):
                if param is cut.old:
                    params[i] = cut.new
        state = optimizer.state.pop(cut.old, None)
        if state is not None:
            optimizer.state[cut.new] = {
                name: _cut_state(optimizer, name, value, cut)
                for name, value in state.items()
            }


def _cut_state(optimizer: Optimizer, name: str, value: Any, cut: Any) -> Any:
    if not isinstance(value, Tensor) or value.numel() == 1:
        return value
    if value.shape != cut.old.shape:
        raise ValueError(
            f'{type(optimizer).__name__} keeps {name} of shape {tuple(value.shape)} '
            f'for a parameter of shape {tuple(cut.old.shape)}, which cannot be pruned; '
            'use SGD, Adam or AdamW'
        )
    return value.index_select(cut.axis, cut.kept)
