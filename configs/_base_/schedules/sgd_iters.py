"""SGD with Nesterov momentum and polynomial decay, counted in iterations."""

max_iters = 20000

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(
        type='SGD', lr=0.01, momentum=0.99, nesterov=True, weight_decay=3e-5
    ),
    clip_grad=dict(max_norm=12),
)
# eta_min is 0: the host's 1e-4 would make a sweep's lowest rate a constant one.
param_scheduler = [
    dict(type='PolyLR', power=0.9, eta_min=0.0, begin=0, end=max_iters, by_epoch=False)
]
train_cfg = dict(type='mmmed.ResumableIterLoop', max_iters=max_iters, val_interval=500)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

# Stops after 10 validations (5000 iterations) without progress.
custom_hooks = [
    dict(
        type='mmmed.ResumableEarlyStoppingHook',
        monitor='overlap/dice_patient_hemorrhage',
        rule='greater',
        min_delta=0.001,
        patience=10,
    )
]
# lr belongs to this many images a step; --cfg-options auto_scale_lr.enable=True
# scales it with (processes x images a process).
auto_scale_lr = dict(enable=False, base_batch_size=16)
