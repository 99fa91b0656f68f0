"""SignalRelayHead: the disease type is read from the predicted imaging signs."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mmmed.models.cls_heads.multi_target_head import Logits, MultiTargetHead
from mmmed.registry import MODELS

_ACTIVATIONS = {
    'sigmoid': torch.sigmoid,
    'relu': torch.relu,
    'softmax': lambda logits: logits.softmax(dim=1),
    'identity': lambda logits: logits,
}


@MODELS.register_module()
class SignalRelayHead(MultiTargetHead):
    """Heads of all targets, one of which is decided by the others.

    Every target has its own linear layer. The logits of the signs (all targets but
    ``main_target``) and those of the main target are activated and joined, signs in the
    order of their names and the main target last, and ``relay``, one more linear layer,
    makes the final logits of the main target from them. The loss of the main target
    therefore reaches all signs; the weights of ``relay``, (K_main, sum of all K), say
    which sign speaks for which type.

    Args:
        in_channels: D.
        targets: Number of classes by name.
        main_target: Name of the target that is decided.
        sign_act: Activation of the signs: ``'sigmoid'``, ``'softmax'``, ``'relu'`` or
            ``'identity'``.
        main_act: Activation of the main target's own logits.
        with_relay: False leaves the main target with its own linear layer.
        **kwargs: Those of :class:`MultiTargetHead`.

    Raises:
        ValueError: ``main_target`` is no target, or an activation is unknown.

    Source:
        Wang et al. 2025, doi:10.1016/j.media.2025.103790. Its figure takes the token of
        the type past a linear layer of its own; its published code does not, nor do we.
    """

    def __init__(
        self,
        in_channels: int,
        targets: Mapping[str, int],
        main_target: str = 'type',
        sign_act: str = 'sigmoid',
        main_act: str = 'relu',
        with_relay: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(in_channels, targets, **kwargs)
        self.main_target = main_target
        if self.main_target not in self.targets:
            raise ValueError(
                f'main_target is {main_target!r}, expected one of {list(self.targets)}'
            )
        for act in (sign_act, main_act):
            if act not in _ACTIVATIONS:
                raise ValueError(
                    f'activation {act!r}, expected one of {list(_ACTIVATIONS)}'
                )
        self.sign_act = sign_act
        self.main_act = main_act
        self.relay: nn.Linear | None = None
        if with_relay:
            total = sum(self.targets.values())
            self.relay = nn.Linear(total, self.targets[self.main_target])

    @property
    def relay_order(self) -> list[tuple[str, int]]:
        """Target and class behind each input of ``relay``."""
        names = [name for name in self.ranks if name != self.main_target]
        return [
            (name, k)
            for name in (*names, self.main_target)
            for k in range(self.targets[name])
        ]

    def forward(self, features: Tensor) -> Logits:
        """Logits (N, K_t) by target; those of the main target are relayed."""
        return self.relay_signs(super().forward(features))

    def relay_signs(
        self, logits: Logits, signals: Mapping[str, Tensor] | None = None
    ) -> Logits:
        """Logits with those of the main target made from the signs.

        Args:
            logits: Own logits (N, K_t) of every target.
            signals: Activations (N, K_t) or (K_t,) that replace those of a target: what
                if this sign were absent?

        Returns:
            The same mapping, the main target replaced.
        """
        if self.relay is None:
            return logits
        parts = []
        for name in dict.fromkeys(name for name, _ in self.relay_order):
            act = self.main_act if name == self.main_target else self.sign_act
            value = _ACTIVATIONS[act](logits[name])
            if signals is not None and name in signals:
                value = signals[name].to(value).expand_as(value)
            parts.append(value)
        return logits | {self.main_target: self.relay(torch.cat(parts, dim=1))}
