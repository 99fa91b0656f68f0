"""Generated liver lesions in ten sequences, small enough for a CPU.

Made by ``tools/make_phantom.py lesions --size 6 32 32 --spacing-mm 6 1.5 1.5`` and
prepared by ``tools/prepare_dataset.py lesion-rois``. The middle 24 x 24 pixels of every
slice are used.
"""

_base_ = './lesion_rois.py'

data_root = 'data/lesion6mm'
load = dict(type='mmmed.LoadROISequences', size=(6, 24, 24))
train_pipeline = [
    load,
    dict(
        type='mmmed.JointSequences',
        transforms=[dict(type='mmmed.RandomFlipVolume')],
    ),
    dict(type='mmmed.SequenceDropout', drop_prob=0.25, prob=0.5),
    dict(type='mmmed.PackROISequences'),
]
test_pipeline = [load, dict(type='mmmed.PackROISequences')]

# Starting a process would take longer than loading.
train_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(data_root=data_root, pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=0,
    dataset=dict(data_root=data_root, pipeline=test_pipeline),
)
test_dataloader = dict(
    batch_size=32,
    num_workers=0,
    dataset=dict(data_root=data_root, pipeline=test_pipeline),
)
