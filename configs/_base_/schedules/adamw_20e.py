"""AdamW for a training of a minute: one budget for all that are compared on a CPU."""

_base_ = './adamw_epochs.py'

max_epochs = 20
optim_wrapper = dict(optimizer=dict(lr=0.005, weight_decay=0.01))
param_scheduler = [
    dict(
        type='OneCycleLR',
        eta_max=0.005,
        pct_start=0.2,
        total_steps=max_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    )
]
train_cfg = dict(max_epochs=max_epochs, val_interval=4)
auto_scale_lr = dict(base_batch_size=16)
