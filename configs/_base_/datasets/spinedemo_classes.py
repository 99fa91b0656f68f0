"""Spines and other parts of the body, real or generated: small epochs for the gates.

Made by ``make demo-spine``; nothing is validated, see ``spinedemo_slices.py``.
"""

_base_ = './spine_classes.py'

data_root = 'work_dirs/demo-spine/cord'
train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(epoch_length=1600),
    dataset=dict(data_root=data_root),
)
val_dataloader = None
test_dataloader = dict(
    batch_size=32,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(data_root=data_root),
)
