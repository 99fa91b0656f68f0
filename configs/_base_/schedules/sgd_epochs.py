"""SGD with momentum and cosine decay, counted in epochs.

Source: the published training of lesion classifiers, RRMediCa@4ad848b. Differs: what
counts as an epoch is up to the data; gradients are clipped.
"""

max_epochs = 200

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=5e-4),
    clip_grad=dict(max_norm=12),
)
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        eta_min=0.0,
        begin=0,
        end=max_epochs,
        T_max=max_epochs,
        by_epoch=True,
    )
]
train_cfg = dict(type='mmmed.ResumableEpochLoop', max_epochs=max_epochs, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

# lr belongs to this many regions a step; --cfg-options auto_scale_lr.enable=True
# scales it with (processes x regions a process).
auto_scale_lr = dict(enable=False, base_batch_size=128)
