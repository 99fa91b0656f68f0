"""The demo's gate of the cord.

Command: make demo-spine, or mim train mmseg configs/resnet/<this file>
"""

_base_ = './resnet10t_anatomy_1xb32-adamw-12e_spinedemo-112x112.py'

model = dict(head=dict(targets=dict(_delete_=True, cord=2)))
# No smaller field of view, which could leave out the cord.
train_pipeline = [
    _base_.load,
    _base_.fit,
    dict(type='mmmed.WindowSlice'),
    dict(type='mmmed.RandomCurveSlice', prob=0.5),
    _base_.pose,
    dict(type='mmmed.SliceAugmentation', recipe='B'),
    dict(type='mmmed.PackSliceTargets'),
]
train_dataloader = dict(
    sampler=dict(target='cord'), dataset=dict(pipeline=train_pipeline)
)
train_cfg = dict(max_epochs=6)
