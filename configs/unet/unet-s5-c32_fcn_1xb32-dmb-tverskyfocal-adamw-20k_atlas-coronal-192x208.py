"""The axial recipe on coronal slices.

Command: mim train mmseg configs/unet/<this file>
"""

_base_ = './unet-s5-c32_fcn_1xb32-dmb-tverskyfocal-adamw-20k_atlas-axial-240x208.py'
train_dataloader = dict(dataset=dict(plane='coronal'))
val_dataloader = dict(dataset=dict(plane='coronal'))
test_dataloader = dict(dataset=dict(plane='coronal'))
