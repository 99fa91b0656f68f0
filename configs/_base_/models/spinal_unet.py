"""U-Net of the spinal cord pipeline, one output channel (sigmoid), Dice + CE loss.

Source: Ronneberger et al. 2015, arXiv:1505.04597, in the sizes of
davidcahyadi/auto-spinal-cord-lesion-seg.
Differs: any image size; the loss (the source's, smoothed Dice alone, is
mmmed.SoftDiceLoss with smooth=1.0).
1,942,299 parameters, 4.71 GMAC at 320x320; 31,036,491 with features=64.

To prune it: the hook mmmed.STAMPPruningHook, docs/explanation/pruning.md.
"""

_base_ = './logit_network.py'

model = dict(
    backbone=dict(
        type='mmmed.SpinalUNet',
        in_channels=1,
        out_channels=1,
        depth=4,
        features=16,
        use_batch_norm=True,
        attention=False,
        dropout=0.0,
    ),
    decode_head=dict(loss_decode=dict(_delete_=True, type='mmmed.DiceCELoss')),
)
