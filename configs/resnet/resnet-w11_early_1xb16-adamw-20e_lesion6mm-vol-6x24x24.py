"""ResNet 1.1 in three dimensions, all sequences as channels: early fusion.

Command: mim train mmseg configs/resnet/<this file>, or all folds:
    python tools/cross_validate.py configs/resnet/<this file> --checkpoint best
"""

_base_ = './resnet-w11_slices_1xb16-adamw-20e_lesion6mm-vol-6x24x24.py'

model = dict(network=dict(backbone=dict(dims=3), slices=None))
