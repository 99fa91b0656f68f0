"""3-D U-Net on those synthetic tumors that a trained network finds at least half of.

Command: mim train mmseg configs/unet3d/<this file>
Needs a segmentor with the same input; here the one of the recipe of labelled tumors,
whose best checkpoint is copied to the path below.
"""

_base_ = './unet3d-s4-c16_nd_1xb2-synth-dicece-adamw-1500i_abdomen3mm-vol-32x64x64.py'

custom_hooks = [
    dict(
        type='mmmed.LesionFilterHook',
        config='configs/unet3d/unet3d-s4-c16_nd_1xb2-real-dicece-adamw-1500i_'
        'abdomen3mm-vol-32x64x64.py',
        checkpoint='work_dirs/abdomen3mm_real.pth',
        least_share=0.5,
    )
]
