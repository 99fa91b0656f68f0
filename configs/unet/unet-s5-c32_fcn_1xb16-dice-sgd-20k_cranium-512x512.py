"""The primitive recipe with another loss: soft Dice alone.

Command: mim train mmseg configs/unet/<this file>
"""

_base_ = './unet-s5-c32_fcn_1xb16-dicece-sgd-20k_cranium-512x512.py'
model = dict(
    decode_head=dict(
        loss_decode=dict(_delete_=True, type='mmmed.SoftDiceLoss', batch_dice=True)
    )
)
