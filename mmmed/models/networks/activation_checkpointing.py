"""Activations that are computed again in the backward pass and not kept.

Not here: which blocks a network does this with (the networks).
"""

import functools
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint


def checkpoint_modules(network: nn.Module, kinds: tuple[type[nn.Module], ...]) -> int:
    """Let the outermost modules of some kinds forget their inner activations.

    Memory of a training step falls to the inputs of these modules, at the price of
    one more forward pass; numbers and names of weights stay what they are.

    Args:
        network: Changed in place.
        kinds: Classes of the modules.

    Returns:
        How many modules were found.
    """
    count = 0
    for module in network.children():
        if isinstance(module, kinds):
            # An attribute of the instance, so that the state dict does not change.
            module.forward = functools.partial(  # type: ignore[method-assign]
                _run_again, module, module.forward
            )
            count += 1
        else:
            count += checkpoint_modules(module, kinds)
    return count


def _run_again(module: nn.Module, forward: Any, *inputs: Any) -> Any:
    if not module.training:
        return forward(*inputs)
    return checkpoint(forward, *inputs, use_reentrant=False)
