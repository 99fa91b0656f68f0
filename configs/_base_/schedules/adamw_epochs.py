"""AdamW, linear warm-up, cosine decay, counted in epochs.

Source: LLD-MMRI 2023, the baseline's training (rate 1e-4, decay 0.05, 300 epochs).
"""

max_epochs = 300

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=0.0001, weight_decay=0.05),
    clip_grad=dict(max_norm=12),
)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.1,
        begin=0,
        end=5,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        eta_min=0.0,
        begin=5,
        end=max_epochs,
        T_max=max_epochs - 5,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(type='mmmed.ResumableEpochLoop', max_epochs=max_epochs, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

# lr belongs to this many regions a step; --cfg-options auto_scale_lr.enable=True
# scales it with (processes x regions a process).
auto_scale_lr = dict(enable=False, base_batch_size=8)
