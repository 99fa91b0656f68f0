"""MultiTargetHead: one linear layer and one loss for every categorical target."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional

from mmmed.functional.classification_weights import (
    RULES,
    check_class_weights,
    compute_class_weights,
)
from mmmed.registry import MODELS
from mmmed.structures.roi_sample import MISSING, ROISample

Logits = dict[str, Tensor]


@MODELS.register_module()
class MultiTargetHead(BaseModule):
    """Class logits of several targets, any of which may lack its label.

    Input: features (N, D) that all targets share, or (N, T, D), one token a target in
    the order of ``targets``. Output: logits (N, K_t) by name.

    Args:
        in_channels: D.
        targets: Number of classes by name, each >= 2.
        loss: A loss of :mod:`mmmed.models.cls_heads.target_losses` for all targets, or
            ``{name: loss}``; cross-entropy where nothing is said.
        class_weight: ``'inverse'`` (N / n_c) or ``'balanced'`` (N / (K n_c)) of the
            training fold (``mmmed.ClassBalanceHook`` counts it), K numbers, or
            ``{name: either}``; None for equal weights.
        target_weight: Factor by name; 1 where nothing is said.
        weighting: ``'fixed'``: the losses are added. ``'uncertainty'``: each is divided
            by a learnt variance, exp(-s) L + s / 2 with s = 0 at first.
        dropout: Share of features dropped in training.
        batch_norm: Whether every target normalises the features over the batch before
            its linear layer, 2 D more weights each, as heads of EfficientViT and
            RepViT do. A batch of one case is normalised by the running statistics.
        init_cfg: As in the host.

    Raises:
        ValueError: An option is impossible, or a name would be taken for a loss.

    Source:
        Uncertainty weighting: Kendall et al. 2018, arXiv:1705.07115, eq. (10).
    """

    def __init__(
        self,
        in_channels: int,
        targets: Mapping[str, int],
        loss: Mapping[str, Any] | None = None,
        class_weight: Any = None,
        target_weight: Mapping[str, float] | None = None,
        weighting: str = 'fixed',
        dropout: float = 0.0,
        batch_norm: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        _check_targets(targets)
        self.in_channels = in_channels
        self.targets = dict(targets)
        self.target_weight = self._read_target_weight(target_weight or {})
        # MMEngine sorts the keys of a configuration that it keeps in a checkpoint, so
        # weights are kept in that order, whatever the order of the tokens.
        self.ranks = {name: rank for rank, name in enumerate(sorted(targets))}
        self.fcs = nn.ModuleList(
            nn.Linear(in_channels, targets[name]) for name in self.ranks
        )
        self.norms = nn.ModuleList(
            nn.BatchNorm1d(in_channels) for _ in (self.ranks if batch_norm else ())
        )
        self.dropout = nn.Dropout(dropout)
        # Names with a dot are no names of modules, so a list, in the order of targets.
        self.losses = nn.ModuleList(
            MODELS.build(_pick(loss, name)) for name in self.targets
        )
        self._rules: dict[str, str] = {}
        self._set_class_weights(class_weight)
        if weighting not in ('fixed', 'uncertainty'):
            raise ValueError(
                f"weighting is {weighting!r}, expected 'fixed' or 'uncertainty'"
            )
        self.log_variance: nn.Parameter | None = None
        if weighting == 'uncertainty':
            self.log_variance = nn.Parameter(torch.zeros(len(self.targets)))

    @property
    def needs_class_counts(self) -> bool:
        """Whether a rule for class weights waits for :meth:`set_class_counts`."""
        return bool(self._rules)

    def set_class_counts(self, counts: Mapping[str, Sequence[int]]) -> None:
        """Take class weights from the training fold, where a rule asks for them.

        Args:
            counts: Cases of each class, by target.

        Raises:
            ValueError: A target is absent or has another number of classes.
        """
        for name, rule in self._rules.items():
            given = counts.get(name)
            if given is None or len(given) != self.targets[name]:
                raise ValueError(
                    f'class counts of {name!r} are {given}, expected '
                    f'{self.targets[name]} numbers'
                )
            weights = compute_class_weights(given, rule=rule).tolist()
            # Without a label in the fold there is nothing to weigh.
            self._keep_class_weight(name, weights if sum(given) else [1.0] * len(given))

    def forward(self, features: Tensor) -> Logits:
        """Logits (N, K_t) by target."""
        features = self._check(features)
        if not self.norms:
            features = self.dropout(features)
        logits = {}
        for index, name in enumerate(self.targets):
            own = features if features.ndim == 2 else features[:, index]
            rank = self.ranks[name]
            if self.norms:  # what is dropped is no part of the statistics
                own = self.dropout(_normalize(self.norms[rank], own))
            logits[name] = self.fcs[rank](own)
        return logits

    def loss(
        self, features: Tensor, data_samples: Sequence[ROISample]
    ) -> dict[str, Tensor]:
        """``loss_<target>`` of each, and ``acc_<target>`` in [0, 1] where labels are.

        Args:
            features: Shape (N, D) or (N, T, D).
            data_samples: N samples with ``gt_targets``; a target that is not named
                counts as missing.

        Raises:
            ValueError: A label is not below the number of classes, or class weights
                are asked for and nobody counted the classes.
        """
        return self.loss_by_logits(self(features), data_samples)

    def loss_by_logits(
        self, logits: Logits, data_samples: Sequence[ROISample]
    ) -> dict[str, Tensor]:
        """The same of logits."""
        result: dict[str, Tensor] = {}
        accuracies: dict[str, Tensor] = {}
        for index, name in enumerate(self.targets):
            labels = self._list_labels(name, data_samples)
            target = torch.tensor(labels, device=logits[name].device)
            value, count = self.losses[index](
                logits[name], target, self._get_class_weight(name)
            )
            if self.log_variance is not None:
                value = self._weigh(value, count, self.ranks[name])
            result[f'loss_{name}'] = self.target_weight[name] * value
            known = sum(label >= 0 for label in labels)
            if known:  # a missing label, -1, is never hit
                hits = logits[name].argmax(1) == target
                accuracies[f'acc_{name}'] = hits.sum() / known
        return result | accuracies

    def predict(
        self, features: Tensor, data_samples: Sequence[ROISample]
    ) -> list[ROISample]:
        """Samples with ``pred_logits`` and ``pred_scores``, changed in place."""
        logits = {name: value.float() for name, value in self(features).items()}
        scores = {name: value.softmax(1) for name, value in logits.items()}
        for index, sample in enumerate(data_samples):
            sample.pred_logits = {name: v[index] for name, v in logits.items()}
            sample.pred_scores = {name: v[index] for name, v in scores.items()}
        return list(data_samples)

    def _weigh(self, value: Tensor, count: Tensor, index: int) -> Tensor:
        assert self.log_variance is not None
        log_variance = self.log_variance[index]
        weighted = torch.exp(-log_variance) * value + log_variance / 2
        # A target without a label says nothing about its variance either.
        return torch.where(count > 0, weighted, 0.0 * weighted)

    def _check(self, features: Tensor) -> Tensor:
        tokens = len(self.targets)
        shape = tuple(features.shape[1:])
        if shape not in ((self.in_channels,), (tokens, self.in_channels)):
            raise ValueError(
                f'features have shape {tuple(features.shape)}, expected (N, '
                f'{self.in_channels}) or (N, {tokens}, {self.in_channels}); set '
                'in_channels of the head to out_channels of the network'
            )
        return features

    def _list_labels(self, name: str, data_samples: Sequence[ROISample]) -> list[int]:
        labels = [sample.gt_targets.get(name, MISSING) for sample in data_samples]
        if max(labels, default=MISSING) >= self.targets[name]:
            case = data_samples[labels.index(max(labels))].metainfo.get('case_id')
            raise ValueError(
                f'case {case!r} has label {max(labels)} of {name!r}, which has '
                f'{self.targets[name]} classes; correct targets of the head'
            )
        return labels

    def _set_class_weights(self, given: Any) -> None:
        shared = not isinstance(given, Mapping)
        for name, count in self.targets.items():
            own = given if shared else given.get(name)
            if isinstance(own, str):
                if own not in RULES:
                    raise ValueError(f'class_weight is {own!r}, expected {RULES}')
                self._rules[name] = own
            elif own is not None:
                check_class_weights(own, count)
            index = list(self.targets).index(name)
            self.register_buffer(f'class_weight_{index}', None, persistent=False)
            if own is not None and not isinstance(own, str):
                self._keep_class_weight(name, own)

    def _keep_class_weight(self, name: str, weights: Sequence[float]) -> None:
        place = f'class_weight_{list(self.targets).index(name)}'
        device = next(self.fcs.parameters()).device
        setattr(self, place, torch.tensor(list(weights), device=device))

    def _get_class_weight(self, name: str) -> Tensor | None:
        weight = getattr(self, f'class_weight_{list(self.targets).index(name)}')
        if weight is None and name in self._rules and self.training:
            raise ValueError(
                f'class_weight of {name!r} is {self._rules[name]!r}, and nobody '
                'counted the classes of the training fold; add '
                "dict(type='mmmed.ClassBalanceHook') to custom_hooks"
            )
        return weight

    def _read_target_weight(self, given: Mapping[str, float]) -> dict[str, float]:
        unknown = sorted(set(given) - set(self.targets))
        if unknown or any(weight < 0 for weight in given.values()):
            raise ValueError(
                f'target_weight is {dict(given)}, expected numbers >= 0 of '
                f'{list(self.targets)}'
            )
        return {name: float(given.get(name, 1.0)) for name in self.targets}


def _normalize(norm: nn.Module, features: Tensor) -> Tensor:
    # The last batch of an epoch may hold one case, which has no variance.
    if norm.training and len(features) == 1:
        assert isinstance(norm, nn.BatchNorm1d)
        values = norm.running_mean, norm.running_var, norm.weight, norm.bias
        return functional.batch_norm(features, *values, eps=norm.eps)
    return norm(features)


def _check_targets(targets: Mapping[str, int]) -> None:
    if not targets or any(count < 2 for count in targets.values()):
        raise ValueError(
            f'targets are {dict(targets)}, expected at least one name with >= 2 classes'
        )
    # MMEngine adds every log value with "loss" in its name to the loss.
    wrong = [name for name in targets if 'loss' in name]
    if wrong:
        raise ValueError(
            f'targets {wrong} have "loss" in their name, and their accuracy would be '
            'trained on; rename them'
        )


def _pick(loss: Mapping[str, Any] | None, name: str) -> dict[str, Any]:
    # A target may be called "type" too.
    if loss is not None and not isinstance(loss.get('type'), str):
        loss = loss.get(name)
    return dict(loss or {'type': 'mmmed.TargetCrossEntropyLoss'})
