"""DUCK-Net, one output channel (sigmoid), Dice + CE loss.

Source: Dumitru et al. 2023, doi:10.1038/s41598-023-36940-5.
Differs: logits, any image size, three halvings and 8 features as the spinal cord
project has them (the paper: depth=5, init_features=17), cross-entropy beside Dice.
"""

_base_ = './logit_network.py'

model = dict(
    backbone=dict(
        type='mmmed.DUCKNet',
        in_channels=1,
        out_channels=1,
        depth=3,
        init_features=8,
    ),
    decode_head=dict(loss_decode=dict(_delete_=True, type='mmmed.DiceCELoss')),
)
