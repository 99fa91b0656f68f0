"""The primitive recipe with another loss: focal.

Command: mim train mmseg configs/raxnet/<this file>
"""

_base_ = './raxnet_rax-s5_1xb32-dmb-tverskyfocal-adamw-20k_atlas-axial-240x208.py'
model = dict(
    decode_head=dict(
        loss_decode=dict(
            _delete_=True, type='mmmed.PixelFocalLoss', alpha=0.8, gamma=2.0
        )
    )
)
