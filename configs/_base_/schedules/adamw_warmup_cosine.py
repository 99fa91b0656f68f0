"""AdamW, linear warm-up, cosine decay to zero, counted in iterations.

Source: the schedule of the liver tumor recipes (SyntheticTumors).
Differs: warm-up is a twentieth of the training and starts at a tenth of the rate; the
source starts at 0 and so wastes its first epoch.
"""

max_iters = 20000
warmup_iters = 1000

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=0.0004, weight_decay=1e-5),
    clip_grad=dict(max_norm=12),
)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.1,
        begin=0,
        end=warmup_iters,
        by_epoch=False,
    ),
    dict(
        type='CosineAnnealingLR',
        eta_min=0.0,
        T_max=max_iters - warmup_iters,
        begin=warmup_iters,
        end=max_iters,
        by_epoch=False,
    ),
]
train_cfg = dict(type='mmmed.ResumableIterLoop', max_iters=max_iters, val_interval=2000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

# lr belongs to this many patches a step; --cfg-options auto_scale_lr.enable=True
# scales it with (processes x patches a process).
auto_scale_lr = dict(enable=False, base_batch_size=2)
