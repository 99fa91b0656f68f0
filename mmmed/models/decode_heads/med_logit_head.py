"""Head of networks that make their logits themselves."""

from collections.abc import Sequence
from typing import Any

from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor

from mmmed.models.decode_heads.label_loss import LabelLossMixin
from mmmed.registry import MODELS


@MODELS.register_module()
class MedLogitHead(LabelLossMixin, BaseDecodeHead):
    """Takes the backbone's output for the logits it is; has no parameters.

    For complete networks (:mod:`mmmed.models.networks`) as backbone of
    :class:`mmmed.models.segmentors.MedEncoderDecoder`: losses, log, threshold and
    prediction are those of every head
    (:class:`mmmed.models.decode_heads.label_loss.LabelLossMixin`).

    Input: logits (N, ``out_channels``, Y, X), or several maps of which ``in_index``
    is one. Output: the same logits.

    Args:
        num_classes: Labels, background included.
        out_channels: Channels that the network gives: 1 (sigmoid, two classes) or
            ``num_classes`` (softmax); the default is 1 for two classes.
        threshold: Probability that foreground must exceed, for one channel, in (0, 1).
        **kwargs: ``loss_decode``, ``ignore_index``, ``sampler``, ``align_corners``,
            ``in_index`` of :class:`mmseg.models.decode_heads.decode_head.\
BaseDecodeHead`.

    Raises:
        ValueError: ``threshold`` lies outside (0, 1), or the channels do not fit.
    """

    def __init__(
        self, *, num_classes: int = 2, out_channels: int | None = None, **kwargs: Any
    ) -> None:
        if out_channels is None:
            out_channels = 1 if num_classes == 2 else num_classes
        super().__init__(
            in_channels=out_channels,
            channels=out_channels,
            num_classes=num_classes,
            out_channels=out_channels,
            dropout_ratio=0.0,
            init_cfg=None,
            **kwargs,
        )
        # Unused parameters would stop distributed training.
        del self.conv_seg

    def forward(self, inputs: Tensor | Sequence[Tensor]) -> Tensor:
        """The logits, shape (N, ``out_channels``, Y, X).

        Raises:
            ValueError: The network gives another number of channels.
        """
        logits = inputs if isinstance(inputs, Tensor) else inputs[self.in_index]
        if logits.shape[1] != self.out_channels:
            raise ValueError(
                f'the network gives {logits.shape[1]} channels, expected '
                f'{self.out_channels}; set out_channels of backbone and decode_head '
                'to the same number'
            )
        return logits
