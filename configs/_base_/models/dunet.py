"""D-UNet of four slices, one output channel (sigmoid), Tversky + focal loss.

Source: Zhou et al. 2021, doi:10.1109/TCBB.2019.2939522, arXiv:1908.05104.
Differs: the network gives logits, takes any image size, and its loss.
The channels are slices i-2, i-1, i, i+1: neighbors=(-2, -1, 0, 1) of the data set.
8,633,379 trainable parameters, 22.4 GMAC at 208x240.
The paper's loss: mmmed.EnhancedMixingLoss.

For a network that trains on a CPU, override model.backbone.base_channels.
"""

_base_ = './logit_network.py'

model = dict(
    backbone=dict(
        type='mmmed.DUNet',
        in_channels=4,
        out_channels=1,
        base_channels=32,
        dropout=0.3,
    )
)
