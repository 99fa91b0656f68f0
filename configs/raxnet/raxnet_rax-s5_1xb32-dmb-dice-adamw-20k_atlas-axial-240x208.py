"""The primitive recipe with another loss: soft Dice over the batch.

Command: mim train mmseg configs/raxnet/<this file>
"""

_base_ = './raxnet_rax-s5_1xb32-dmb-tverskyfocal-adamw-20k_atlas-axial-240x208.py'
model = dict(
    decode_head=dict(
        loss_decode=dict(_delete_=True, type='mmmed.SoftDiceLoss', batch_dice=True)
    )
)
