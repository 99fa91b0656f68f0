"""Weights of an encoder from a file of this machine, whatever head was on it.

Not here: fetching files; whole models (``load_from`` of the host).
"""

import logging
from collections.abc import Mapping
from pathlib import Path

from mmengine.logging import print_log
from torch import Tensor, nn

from mmmed.checkpoint import load_checkpoint_safely


def load_encoder_weights(net: nn.Module, path: str | Path) -> list[str]:
    """Take the encoder's weights of a checkpoint, and nothing else of it.

    The encoder has to be there as a whole; heads, of whatever classes, are left out
    and named in the log. Weights of colour images fit networks of grey ones: the
    first convolution takes the sum over the colours.

    Args:
        net: Encoder without a head, changed in place.
        path: Checkpoint of MMEngine, Lightning or timm, or ``.safetensors``; loading
            it runs no code.

    Returns:
        Names of the weights that were left out, in the order of the file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, or its encoder is not that of ``net``.
    """
    own = net.state_dict()
    state = _read_state(path)
    prefix = _find_prefix(own, state)
    found = {
        name: _fit_first(net, name, state[prefix + name], value)
        for name, value in own.items()
        if prefix + name in state
    }
    wrong = [
        name
        for name, value in own.items()
        if name not in found or found[name].shape != value.shape
    ]
    if wrong:
        raise ValueError(
            f'{path} is no checkpoint of {type(net).__name__}: {len(wrong)} of '
            f'{len(own)} weights are absent or of another shape, such as '
            f'{wrong[0]!r}; name the network that it was trained with'
        )
    net.load_state_dict(found)
    dropped = [name for name in state if name.removeprefix(prefix) not in own]
    print_log(
        f'{len(found)} weights of the encoder are from {path}; left out: '
        f'{", ".join(dropped) or "none"}',
        'current',
        logging.INFO,
    )
    return dropped


def _read_state(path: str | Path) -> dict[str, Tensor]:
    if str(path).endswith('.safetensors'):
        from safetensors.torch import load_file

        return dict(load_file(str(Path(path).expanduser())))
    content = load_checkpoint_safely(path, map_location='cpu')
    for key in ('state_dict', 'model'):
        if isinstance(content.get(key), Mapping):
            content = content[key]
            break
    return {str(k): v for k, v in content.items() if isinstance(v, Tensor)}


def _find_prefix(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> str:
    """What stands before the encoder's names, such as ``network.backbone.net.``."""
    first = next(iter(own))
    names = [name for name in state if name == first or name.endswith(f'.{first}')]
    return min(names, key=len).removesuffix(first) if names else ''


def _fit_first(net: nn.Module, name: str, given: Tensor, own: Tensor) -> Tensor:
    """Sum over colours of the first convolution, where the network sees grey."""
    first = getattr(net, 'pretrained_cfg', {}).get('first_conv')
    if name != f'{first}.weight' or given.ndim != 4 or own.shape[1] != 1:
        return given
    return given.sum(1, keepdim=True)
