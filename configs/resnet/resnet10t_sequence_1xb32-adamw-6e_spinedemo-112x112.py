"""The demo's gate of the sequence.

Command: make demo-spine, or mim train mmseg configs/resnet/<this file>
"""

_base_ = './resnet10t_anatomy_1xb32-adamw-12e_spinedemo-112x112.py'

model = dict(head=dict(targets=dict(_delete_=True, sequence=4)))
# Here contrast is the question.
train_pipeline = [
    _base_.load,
    _base_.fit,
    dict(type='mmmed.WindowSlice'),
    dict(type='mmmed.SliceAugmentation', recipe='B'),
    dict(type='mmmed.PackSliceTargets'),
]
train_dataloader = dict(
    sampler=dict(target='sequence'), dataset=dict(pipeline=train_pipeline)
)
train_cfg = dict(max_epochs=6)
