"""Spines and other parts of the body, real or generated: small epochs for the gates.

Made by ``make demo-spine``; nothing is validated, see ``spinedemo_slices.py``.
"""

_base_ = './spine_classes.py'

data_root = 'work_dirs/demo-spine/cord'
fit = dict(type='mmmed.FitSlice', size=(112, 112), pixel_mm=2.0)
pose = dict(
    type='mmmed.RandomPoseSlice',
    angle_deg=15.0,
    scale=(0.8, 2.0),
    shift=0.15,
    prob=0.6,
)
train_pipeline = [
    _base_.load,
    fit,
    dict(type='mmmed.WindowSlice'),
    # The one T1w spine is not to be told by its contrast, which heads have too.
    dict(type='mmmed.RandomCurveSlice', prob=0.5),
    # Nor a class by the size of its field of view, which is small in most spines.
    dict(type='mmmed.RandomFieldSlice', size_px=(28, 112), prob=0.6),
    pose,
    dict(type='mmmed.SliceAugmentation', recipe='B'),
    dict(type='mmmed.PackSliceTargets'),
]
test_pipeline = [
    _base_.load,
    fit,
    dict(type='mmmed.WindowSlice'),
    dict(type='mmmed.PackSliceTargets'),
]
train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    persistent_workers=False,
    # The smallest image has five slices, the largest four hundred.
    sampler=dict(epoch_length=1600, balance_patients=True),
    dataset=dict(data_root=data_root, max_stretch=3.0, pipeline=train_pipeline),
)
val_dataloader = None
test_dataloader = dict(
    batch_size=32,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(data_root=data_root, pipeline=test_pipeline),
)
