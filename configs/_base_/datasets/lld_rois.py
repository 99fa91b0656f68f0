"""LLD-MMRI 2023: one lesion of seven types in eight phases of liver MRI.

Boxes with a margin of 16 pixels and 2 slices, stretched to 16 x 128 x 128 voxels by
``tools/prepare_dataset.py lesion-rois RAW --size 16 128 128``; trained on windows of 14
x 112 x 112, tested on the middle one. Source: github.com/LMMMEng/LLD-MMRI2023, the
protocol as described. Differs: one flip, turn and window for all phases.
"""

_base_ = './lesion_rois.py'

data_root = 'data/lld'
sequences = [
    *('t2wi', 'dwi', 'in_phase', 'out_phase', 'c_pre', 'c_a', 'c_v', 'c_delay'),
]
train_pipeline = [
    dict(type='mmmed.LoadROISequences'),
    dict(
        type='mmmed.JointSequences',
        transforms=[
            dict(
                type='mmmed.RandomAffineVolume',
                angle_deg=(45.0, 0.0, 0.0),
                rotate_prob=1.0,
                scale_prob=0.0,
            ),
            dict(type='mmmed.RandomFlipVolume'),
            dict(type='mmmed.RandomCropVolume', size=(14, 112, 112)),
        ],
    ),
    dict(type='mmmed.PackROISequences'),
]
test_pipeline = [
    dict(type='mmmed.LoadROISequences', size=(14, 112, 112)),
    dict(type='mmmed.PackROISequences'),
]

train_dataloader = dict(
    batch_size=8,
    num_workers=4,
    dataset=dict(data_root=data_root, sequences=sequences, pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=8,
    dataset=dict(data_root=data_root, sequences=sequences, pipeline=test_pipeline),
)
test_dataloader = dict(
    batch_size=8,
    dataset=dict(data_root=data_root, sequences=sequences, pipeline=test_pipeline),
)
