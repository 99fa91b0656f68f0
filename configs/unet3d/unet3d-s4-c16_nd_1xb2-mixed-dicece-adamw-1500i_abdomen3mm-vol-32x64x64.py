"""3-D U-Net on labelled and synthetic tumors of the generated abdomens, 1 : 1.

Command: mim train mmseg configs/unet3d/<this file>
Another ratio: train_dataloader.sampler.positive_share, the share of labelled tumors.
Data, schedule and choice of the checkpoint as in the recipe of labelled tumors.
"""

_base_ = './unet3d-s4-c16_nd_1xb2-real-dicece-adamw-1500i_abdomen3mm-vol-32x64x64.py'

train_dataloader = dict(
    sampler=dict(positive_share=0.5),
    dataset=dict(with_label=None, positive_label=2, pipeline=_base_.synthetic_pipeline),
)
