"""The axial recipe on sagittal slices.

Command: mim train mmseg configs/dunet/<this file>
"""

_base_ = './dunet_df-s5_1xb32-dmb-tverskyfocal-adamw-20k_atlas-axial-240x208.py'
train_dataloader = dict(dataset=dict(plane='sagittal'))
val_dataloader = dict(dataset=dict(plane='sagittal'))
test_dataloader = dict(dataset=dict(plane='sagittal'))
