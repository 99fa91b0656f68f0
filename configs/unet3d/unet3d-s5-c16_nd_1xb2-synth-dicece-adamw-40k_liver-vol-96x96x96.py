"""3-D U-Net on synthetic tumors in healthy livers; it never sees a real one.

Command: mim train mmseg configs/unet3d/<this file>
Source: SyntheticTumors, Hu et al. 2023, arXiv:2303.14869 (U-Net, synthetic tumors: 59.8
% tumor Dice). Not measured here: the data are not at hand.
Differs: as the recipe of real tumors; lesions inside the patch, at the drawn contrast.
"""

_base_ = './unet3d-s5-c16_nd_1xb2-real-dicece-adamw-40k_liver-vol-96x96x96.py'

train_dataloader = dict(
    dataset=dict(with_label=None, without_label=2, pipeline=_base_.synthetic_pipeline)
)
