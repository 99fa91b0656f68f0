"""A narrow X-Net on 2 mm slices that a CPU core trains in six minutes.

For the semi-synthetic cohort: tools/make_atlas_phantom.py RAW --spacing-mm 2, then
tools/prepare_dataset.py atlas RAW --out data/atlas_2mm.
Command: mim train mmseg configs/xnet/<this file>
Expected: projects/stroke_atlas/results.md.
"""

_base_ = './xnet_fsm-s5_1xb32-dmb-tverskyfocal-adamw-20k_atlas-axial-240x208.py'

model = dict(backbone=dict(base_channels=8))
data_root = 'data/atlas_2mm'
train_dataloader = dict(batch_size=16, dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = dict(dataset=dict(data_root=data_root))

max_iters = 400
optim_wrapper = dict(optimizer=dict(lr=0.002))
param_scheduler = [
    dict(type='PolyLR', power=0.9, eta_min=0.0, begin=0, end=max_iters, by_epoch=False)
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
default_hooks = dict(
    logger=dict(interval=20), checkpoint=dict(interval=100, max_keep_ckpts=1)
)
# 0.01, as published, belongs to schedules a hundred times longer.
custom_hooks = [dict(type='mmmed.NormMomentumHook', momentum=0.1)]
