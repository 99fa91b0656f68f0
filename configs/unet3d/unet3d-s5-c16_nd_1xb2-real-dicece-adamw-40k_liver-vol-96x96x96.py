"""3-D U-Net on real liver tumors: the baseline of the synthetic ones.

Command: mim train mmseg configs/unet3d/<this file>
Source: SyntheticTumors, Hu et al. 2023, arXiv:2303.14869 (U-Net, real tumors: 57.6 %
tumor Dice in their five folds of LiTS). Not measured here: the data are not at hand.
Differs: iterations, not epochs; warm-up above zero; more augmentation.
The last checkpoint counts: none is selected on the cases that are scored.
"""

_base_ = [
    '../_base_/models/unet3d.py',
    '../_base_/datasets/liver_volumes.py',
    '../_base_/schedules/adamw_warmup_cosine.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(dataset=dict(with_label=2))

max_iters = 40000
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=1000, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        eta_min=0.0,
        T_max=max_iters - 1000,
        begin=1000,
        end=max_iters,
        by_epoch=False,
    ),
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
default_hooks = dict(
    checkpoint=dict(interval=1000, max_keep_ckpts=1, save_best=None, rule=None)
)
