"""3-D U-Net of four levels on labelled tumors of the generated abdomens, on a CPU.

Command: mim train mmseg configs/unet3d/<this file>
Data: generated, so that the comparison runs anywhere; it says nothing about patients.
The checkpoint is chosen on one fold of the training side; see the results of
projects/liver_tumor_synthesis, on patients that took no part.
"""

_base_ = [
    '../_base_/models/unet3d.py',
    '../_base_/datasets/abdomen3mm_volumes.py',
    '../_base_/schedules/adamw_warmup_cosine.py',
    '../_base_/default_runtime.py',
]

crop_size = (32, 64, 64)
model = dict(
    network=dict(channels=(16, 32, 64, 128), strides=(2, 2, 2)),
    test_cfg=dict(crop_size=crop_size, stride=(16, 32, 32)),
)
train_dataloader = dict(dataset=dict(with_label=2))

max_iters = 1500
warmup_iters = 75
optim_wrapper = dict(optimizer=dict(lr=0.002))
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
train_cfg = dict(max_iters=max_iters, val_interval=300)
default_hooks = dict(
    checkpoint=dict(
        interval=300, max_keep_ckpts=1, save_best='overlap/dice_patient_tumor'
    )
)
