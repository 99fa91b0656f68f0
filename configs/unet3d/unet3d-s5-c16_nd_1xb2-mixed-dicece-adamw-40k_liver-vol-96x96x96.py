"""3-D U-Net on real and synthetic liver tumors, one as often as the other.

Command: mim train mmseg configs/unet3d/<this file>
Source: SyntheticTumors (1:1; U-Net, 56.9 % tumor Dice). Not measured here.
Another ratio: train_dataloader.sampler.positive_share, the share of real tumors.
"""

_base_ = './unet3d-s5-c16_nd_1xb2-real-dicece-adamw-40k_liver-vol-96x96x96.py'

train_dataloader = dict(
    sampler=dict(positive_share=0.5),
    dataset=dict(with_label=None, positive_label=2, pipeline=_base_.synthetic_pipeline),
)
