"""Heads that turn a feature vector, or one token a target, into class logits."""

from .multi_target_head import MultiTargetHead as MultiTargetHead
from .signal_relay_head import SignalRelayHead as SignalRelayHead
from .target_losses import TargetCrossEntropyLoss as TargetCrossEntropyLoss
from .target_losses import TargetFocalLoss as TargetFocalLoss
from .target_losses import TargetOrdinalLoss as TargetOrdinalLoss
