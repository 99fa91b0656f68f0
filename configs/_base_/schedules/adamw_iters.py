"""AdamW with polynomial decay, counted in iterations."""

max_iters = 20000

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=0.001, weight_decay=0.004),
    clip_grad=dict(max_norm=12),
)
# eta_min is 0: the host's 1e-4 would make a sweep's lowest rate a constant one.
param_scheduler = [
    dict(type='PolyLR', power=0.9, eta_min=0.0, begin=0, end=max_iters, by_epoch=False)
]
train_cfg = dict(type='mmmed.ResumableIterLoop', max_iters=max_iters, val_interval=2000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

# lr belongs to this many images a step; --cfg-options auto_scale_lr.enable=True
# scales it with (processes x images a process).
auto_scale_lr = dict(enable=False, base_batch_size=32)
