"""CLCI-Net, one output channel (sigmoid), Tversky + focal loss.

Source: Yang et al. 2019, arXiv:1907.07008.
Differs: the network gives logits, takes any image size, and its loss.
36,813,025 trainable parameters, 48.6 GMAC at 208x240.
The paper's loss: mmmed.SoftDiceLoss with square_errors=True.

For a network that trains on a CPU, override model.backbone.base_channels.
"""

_base_ = './logit_network.py'

model = dict(
    backbone=dict(
        type='mmmed.CLCINet',
        in_channels=1,
        out_channels=1,
        base_channels=32,
        dropout=0.5,
    )
)
