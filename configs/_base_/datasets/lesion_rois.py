"""Liver lesions in ten MRI sequences, one crop each, with signs and type.

Prepared by ``tools/prepare_dataset.py lesion-rois``. The field of view is 1.5 x 2.5 x
2.5 diameters of the lesion. Fold k of the cross-validation: ``fold=k`` of the three
dataloaders' datasets (0 here). For other sequences set model.network.sequences as well.
"""

dataset_type = 'mmmed.MultiSequenceROIDataset'
data_root = 'data/lesions'
sequences = [
    *('preartery', 'lap', 'pv', 'delay', 'ip', 'op', 't2'),
    *('dwi_b0', 'dwi_b1', 'adc'),
]
load = dict(type='mmmed.LoadROISequences', size=(8, 80, 80), field=(1.5, 2.5, 2.5))

train_pipeline = [
    load,
    dict(
        type='mmmed.JointSequences',
        transforms=[
            dict(
                type='mmmed.RandomAffineVolume',
                angle_deg=(45.0, 10.0, 10.0),
                scale=(0.8, 1.25),
                rotate_prob=0.5,
                scale_prob=0.5,
            ),
            dict(type='mmmed.RandomFlipVolume'),
        ],
    ),
    dict(
        type='mmmed.EachSequence',
        transforms=[
            dict(type='mmmed.RandomIntensityVolume'),
            dict(type='mmmed.RandomMRArtifact', prob=0.5),
        ],
    ),
    # Half of the time, as if a quarter of the sequences had not been acquired.
    dict(type='mmmed.SequenceDropout', drop_prob=0.25, prob=0.5),
    dict(type='mmmed.PackROISequences'),
]
test_pipeline = [load, dict(type='mmmed.PackROISequences')]

train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='mmmed.ForegroundSampler', epoch_length='dataset'),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        sequences=sequences,
        role='train',
        fold=0,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        sequences=sequences,
        role='val',
        fold=0,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        sequences=sequences,
        role='test',
        fold=0,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
