"""3-D U-Net on synthetic tumors in the generated abdomens without any.

Command: mim train mmseg configs/unet3d/<this file>
Data, schedule and choice of the checkpoint as in the recipe of labelled tumors.
"""

_base_ = './unet3d-s4-c16_nd_1xb2-real-dicece-adamw-1500i_abdomen3mm-vol-32x64x64.py'

train_dataloader = dict(
    dataset=dict(with_label=None, without_label=2, pipeline=_base_.synthetic_pipeline)
)
