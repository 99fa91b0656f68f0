"""AdamW with cosine decay to zero, counted in epochs: for slice classifiers.

Source: the experiments of davidcahyadi/auto-spinal-cord-lesion-seg (rate 1e-3, 25 or 50
epochs). Differs: the rate falls at every iteration, not at every epoch.
"""

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=0.001, weight_decay=0.01),
)
# Without an end of its own, it ends with max_epochs, whatever that is set to.
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        eta_min=0.0,
        begin=0,
        by_epoch=True,
        convert_to_iter_based=True,
    )
]
train_cfg = dict(type='mmmed.ResumableEpochLoop', max_epochs=25, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

# lr belongs to this many slices a step; --cfg-options auto_scale_lr.enable=True
# scales it with (processes x slices a process).
auto_scale_lr = dict(enable=False, base_batch_size=200)
