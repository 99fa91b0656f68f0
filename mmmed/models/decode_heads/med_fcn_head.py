"""FCN head that trains one-channel models as well as K-channel ones."""

from mmseg.models.decode_heads import FCNHead

from mmmed.models.decode_heads.label_loss import LabelLossMixin
from mmmed.registry import MODELS


@MODELS.register_module()
class MedFCNHead(LabelLossMixin, FCNHead):
    """The host's FCN head with a training log that means something for one channel.

    Input: feature maps of the backbone, each (N, C_i, Y_i, X_i). Output: logits
    (N, ``out_channels``, Y_i, X_i) on the grid of the map at ``in_index``. Losses and
    log: :class:`mmmed.models.decode_heads.label_loss.LabelLossMixin`.

    Args:
        threshold: Probability that foreground must exceed, for one channel, in (0, 1).
        **kwargs: See :class:`mmseg.models.decode_heads.FCNHead`; for binary models
            ``num_classes=2, out_channels=1``.

    Raises:
        ValueError: ``threshold`` lies outside (0, 1).
    """
