"""X-Net, one output channel (sigmoid), Tversky + focal loss.

Source: Qi et al. 2019, arXiv:1907.07000.
Differs: the network gives logits, takes any image size, and its loss.
The L2 penalty of 1e-5 on convolutions is weight_decay of the optimizer.
15,072,332 trainable parameters, 23.3 GMAC at 208x240.
The paper's loss: cross-entropy + Dice, mmmed.DiceCELoss.

For a network that trains on a CPU, override model.backbone.base_channels.
"""

_base_ = './logit_network.py'

model = dict(
    backbone=dict(
        type='mmmed.XNet',
        in_channels=1,
        out_channels=1,
        base_channels=64,
    )
)
