"""RAX-Net, one output channel (sigmoid), Tversky + focal loss.

Source: Mousavi et al. 2025, medRxiv 10.1101/2025.09.26.25336733.
Differs: the network gives logits, takes any image size, and reads 0..1
instead of 0..255.
4,829,665 trainable parameters, 4.27 GMAC at 208x240.

For a network that trains on a CPU, override model.backbone.base_channels.
"""

_base_ = './logit_network.py'

model = dict(
    backbone=dict(
        type='mmmed.RAXNet',
        in_channels=1,
        out_channels=1,
        base_channels=32,
        # 'sigmoid' is the ablation with a true gate.
        rau_gate='none',
    )
)
