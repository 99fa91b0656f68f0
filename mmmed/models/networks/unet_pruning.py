"""Filters taken out of a network: what belongs to a filter, and how it is cut.

Not here: which filters (``mmmed.functional.filter_pruning``), when
(``mmmed.engine.hooks.pruning_hook``).
"""

from abc import ABCMeta, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from mmmed.functional.filter_pruning import find_kept


class ParameterCut(NamedTuple):
    """A parameter that became another one with fewer entries along one axis.

    ``new`` is ``old.index_select(axis, kept)``; what an optimizer knows of ``old``
    (momenta) is cut the same way.
    """

    old: nn.Parameter
    new: nn.Parameter
    axis: int
    kept: Tensor


@dataclass(frozen=True)
class FilterGroup:
    """Filters that can be removed one by one, and all that depends on them.

    Attributes:
        producers: Convolutions that have one filter for each, and their norms.
        consumers: Convolutions that read the maps, each with the number of its input
            channels that come before them.
        site: Module whose output (N, filters, Y, X) has one map for each.
        dropout: Dropout of whole maps behind it, None where there is none.
    """

    producers: tuple[nn.Module, ...]
    consumers: tuple[tuple[nn.Module, int], ...]
    site: nn.Module
    dropout: nn.Dropout2d | None = None

    @property
    def count(self) -> int:
        """Filters that there are now."""
        return int(cast(nn.Conv2d, self.producers[0]).out_channels)


class Prunable(metaclass=ABCMeta):
    """A network whose filters can be removed while it is trained.

    Names of groups and their numbers of filters are its *architecture*: plain values
    from which the pruned network is built anew, before weights are loaded.
    """

    @abstractmethod
    def find_filter_groups(self) -> dict[str, FilterGroup]:
        """All groups by name, as they are now; a removal makes them stale."""

    @property
    def architecture(self) -> dict[str, int]:
        """Number of filters of every group."""
        return {name: group.count for name, group in self.find_filter_groups().items()}

    def remove_filters(self, name: str, indices: Sequence[int]) -> list[ParameterCut]:
        """Remove some filters of one group, with all that reads or scales them.

        What stays has the same bits as before. Outputs change by what the removed
        filters contributed, and by nothing if that was zero.

        Args:
            name: Group.
            indices: Numbers of its filters, as they are counted now.

        Returns:
            Every parameter that was replaced, each once.

        Raises:
            ValueError: The group is unknown, an index is out of range, or no filter
                would be left.
        """
        groups = self.find_filter_groups()
        if name not in groups:
            raise ValueError(f'no filters are called {name!r}; there are {[*groups]}')
        return cut_filters(groups[name], indices)

    def shrink_to(self, architecture: Mapping[str, int]) -> list[ParameterCut]:
        """Bring every group to a number of filters; which ones stay is arbitrary.

        For weights that will be loaded afterwards.

        Raises:
            ValueError: Names differ from those of this network, or it is smaller than
                the architecture somewhere.
        """
        have = self.architecture
        check_architecture(architecture, have)
        cuts = []
        for name, count in architecture.items():
            if count > have[name]:
                raise ValueError(
                    f'{name} has {have[name]} filters here and {count} in the '
                    'architecture; build the network that was pruned, or a wider one'
                )
            if count < have[name]:
                cuts += self.remove_filters(name, range(count, have[name]))
        return cuts


def check_architecture(given: Mapping[str, int], known: Mapping[str, int]) -> None:
    """Refuse an architecture that does not describe this kind of network.

    Raises:
        ValueError: A name is missing or unknown, or a number is not a whole one >= 1.
    """
    if set(given) != set(known):
        missing, unknown = set(known) - set(given), set(given) - set(known)
        raise ValueError(
            f'architecture lacks {sorted(missing)} and has unknown {sorted(unknown)}; '
            'take it from the checkpoint of a network of the same depth and attention'
        )
    bad = {
        name: count
        for name, count in given.items()
        if isinstance(count, bool) or not isinstance(count, int) or count < 1
    }
    if bad:
        raise ValueError(f'architecture must have whole numbers >= 1, got {bad}')


def check_widths(network: nn.Module, state: Mapping[str, Tensor], prefix: str) -> None:
    """Refuse weights of a network that was pruned otherwise.

    MMEngine would pass over what does not fit and leave those layers untrained.

    Args:
        network: One that is :class:`Prunable`.
        state: Weights by name.
        prefix: Of the network's own names in them.

    Raises:
        ValueError: A layer has another number of filters than the weights.
    """
    names = {module: name for name, module in network.named_modules()}
    for name, group in cast(Prunable, network).find_filter_groups().items():
        producer = group.producers[0]
        weight = state.get(f'{prefix}{names[producer]}.weight')
        count = group.count if weight is None else weight.shape[_find_axis(producer)]
        if count != group.count:
            raise ValueError(
                f'{name} has {group.count} filters here and {count} in the weights; '
                'for a pruned network, build it with the architecture in the '
                "checkpoint's meta and pruning, or keep mmmed.STAMPPruningHook in the "
                'recipe'
            )


def cut_filters(group: FilterGroup, indices: Sequence[int]) -> list[ParameterCut]:
    """Remove filters of one group; see :meth:`Prunable.remove_filters`."""
    count = group.count
    kept = find_kept(count, list(indices))
    cuts = []
    for module in group.producers:
        cuts += _cut_outputs(module, kept)
    for module, before in group.consumers:
        conv = cast(nn.Conv2d, module)
        after = torch.arange(before + count, conv.in_channels)
        indices_in = torch.cat([torch.arange(before), kept + before, after])
        cuts += _cut_inputs(conv, indices_in)
    return cuts


def _cut_outputs(module: nn.Module, kept: Tensor) -> list[ParameterCut]:
    if isinstance(module, nn.BatchNorm2d):
        module.num_features = len(kept)
        for name in ('running_mean', 'running_var'):
            running = getattr(module, name)
            setattr(module, name, running.index_select(0, kept.to(running.device)))
        return [_replace(module, name, 0, kept) for name in ('weight', 'bias')]
    conv = cast(nn.Conv2d, module)
    conv.out_channels = len(kept)
    cuts = [_replace(conv, 'weight', _find_axis(conv), kept)]
    if conv.bias is not None:
        cuts.append(_replace(conv, 'bias', 0, kept))
    return cuts


def _cut_inputs(conv: nn.Conv2d, kept: Tensor) -> list[ParameterCut]:
    conv.in_channels = len(kept)
    return [_replace(conv, 'weight', 1 - _find_axis(conv), kept)]


def _find_axis(conv: nn.Module) -> int:
    """Axis of a weight along which filters lie."""
    return 1 if isinstance(conv, nn.ConvTranspose2d) else 0


def _replace(module: nn.Module, name: str, axis: int, kept: Tensor) -> ParameterCut:
    old = cast(nn.Parameter, getattr(module, name))
    kept = kept.to(old.device)
    # A new parameter, not other data in the old one: what autograd remembers of the
    # old one has its shape.
    new = nn.Parameter(old.detach().index_select(axis, kept), old.requires_grad)
    if old.grad is not None:
        new.grad = old.grad.index_select(axis, kept)
    setattr(module, name, new)
    return ParameterCut(old, new, axis, kept)
