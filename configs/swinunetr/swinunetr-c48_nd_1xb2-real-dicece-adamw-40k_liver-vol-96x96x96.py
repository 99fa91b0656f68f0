"""Swin UNETR (base) on real liver tumors: the baseline of the synthetic ones.

Command: mim train mmseg configs/swinunetr/<this file>
Source: SyntheticTumors, Hu et al. 2023, arXiv:2303.14869 (Swin-Base, real tumors: 59.0
% tumor Dice). Not measured here: the data are not at hand.
"""

_base_ = './swinunetr-c48_nd_1xb2-synth-dicece-adamw-40k_liver-vol-96x96x96.py'

train_dataloader = dict(
    dataset=dict(without_label=None, with_label=2, pipeline=_base_.real_pipeline)
)
