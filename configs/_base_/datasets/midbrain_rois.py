"""Midbrain in neuromelanin MRI and QSM: Parkinson's disease or not, as published.

Five slices of 80 x 80 pixels and a box each, the published augmentation. Source:
RRMediCa@4ad848b and PDCADxFoundation. Prepared by ``tools/prepare_dataset.py
lesion-rois`` from crops with ``annotations.json``; see
``mmmed.datasets.LegacyROIAugment``.
"""

_base_ = './lesion_rois.py'

data_root = 'data/midbrain'
sequences = ['qsm', 'nm']
load = dict(type='mmmed.LoadROISequences', normalize=dict(default=dict(rule='minmax')))
train_pipeline = [
    load,
    dict(type='mmmed.SelectROISlices', count=5, is_random=True, is_joint=False),
    dict(type='mmmed.AddROIBox', kind='slice'),
    dict(type='mmmed.LegacyROIAugment'),
    dict(type='mmmed.PackROISequences'),
]
test_pipeline = [
    load,
    dict(type='mmmed.SelectROISlices', count=5),
    dict(type='mmmed.AddROIBox', kind='slice'),
    dict(type='mmmed.LegacyROIAugment', is_training=False),
    dict(type='mmmed.PackROISequences'),
]

train_dataloader = dict(
    batch_size=128,
    num_workers=4,
    # An epoch of the published training shows every case ten times.
    dataset=dict(
        data_root=data_root, sequences=sequences, pipeline=train_pipeline, repeat=10
    ),
)
val_dataloader = dict(
    batch_size=128,
    dataset=dict(data_root=data_root, sequences=sequences, pipeline=test_pipeline),
)
test_dataloader = dict(
    batch_size=128,
    dataset=dict(data_root=data_root, sequences=sequences, pipeline=test_pipeline),
)
