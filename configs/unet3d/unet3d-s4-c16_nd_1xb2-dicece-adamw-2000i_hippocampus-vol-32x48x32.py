"""3-D U-Net of four levels on the hippocampus, five CPU minutes a fold.

Command: mim train mmseg configs/unet3d/<this file>
All folds: python tools/cross_validate.py --folds 3 configs/unet3d/<this file>
Expected: mean Dice of both parts 0.878 (SD of cases 0.03) over three folds of 42 cases,
seed 0; see projects/hippocampus. No case that is scored selects a checkpoint: the last
one counts.
"""

_base_ = [
    '../_base_/models/unet3d.py',
    '../_base_/datasets/hippocampus_volumes.py',
    '../_base_/schedules/adamw_warmup_cosine.py',
    '../_base_/default_runtime.py',
]

model = dict(
    network=dict(channels=(16, 32, 64, 128), strides=(2, 2, 2)),
    # Windows as large as the patches: normalisation by instance depends on what is in
    # view, and whole volumes cost 0.012 of Dice on fold 0.
    test_cfg=dict(crop_size=_base_.patch_size, stride=(8, 12, 8), flips=[(-1,)]),
    channels_last=True,
)

max_iters = 2000
warmup_iters = 100
optim_wrapper = dict(optimizer=dict(lr=0.002, weight_decay=0.01))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=warmup_iters, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        eta_min=0.0,
        T_max=max_iters - warmup_iters,
        begin=warmup_iters,
        end=max_iters,
        by_epoch=False,
    ),
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
default_hooks = dict(
    checkpoint=dict(interval=300, max_keep_ckpts=1, save_best=None, rule=None)
)
test_evaluator = [
    dict(type='mmmed.CaseOverlapMetric'),
    dict(type='mmmed.SurfaceMetric'),
]
