"""AdamW for a training of minutes: one budget for all that are compared on a CPU."""

_base_ = './adamw_iters.py'

max_iters = 400
optim_wrapper = dict(optimizer=dict(lr=0.002))
param_scheduler = [
    dict(type='PolyLR', power=0.9, eta_min=0.0, begin=0, end=max_iters, by_epoch=False)
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
# 0.01, as published, belongs to schedules a hundred times longer.
custom_hooks = [dict(type='mmmed.NormMomentumHook', momentum=0.1)]
