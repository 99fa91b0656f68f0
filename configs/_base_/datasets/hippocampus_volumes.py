"""Hippocampus on T1-weighted MRI, whole volumes: anterior and posterior part.

42 cases of MSD Task04 (Simpson et al. 2019, arXiv:1902.09063), 1 mm, at most 43 x 54 x
42 voxels, prepared by ``tools/prepare_dataset.py decathlon`` with ``--folds 3``.
Fold k of the cross-validation: ``fold=k`` of the three dataloaders' datasets.
"""

dataset_type = 'mmmed.VolumeDataset'
data_root = 'data/hippocampus'
# Little larger than both parts, and seldom larger than a volume: networks that
# normalise by instance see as little padding here as in testing.
patch_size = (32, 48, 32)

train_pipeline = [
    # Drawn before it is read, so that one resampling does it all.
    dict(
        type='mmmed.RandomAffineVolume',
        angle_deg=20.0,
        scale=(0.8, 1.25),
        is_isotropic=False,
        elastic_mm=(0.5, 1.5),
        elastic_cell_mm=16.0,
        rotate_prob=0.6,
        scale_prob=0.6,
        elastic_prob=0.5,
    ),
    dict(type='mmmed.LoadVolumePatch', size=patch_size, foreground_share=0.0),
    # Values are in no unit; some scans are in the hundreds, some in 100,000s.
    dict(type='mmmed.NormalizeVolume'),
    # Both sides occur; front and back, up and down never swap.
    dict(type='mmmed.RandomFlipVolume', axes=('X',)),
    dict(type='mmmed.WarpVolume'),
    dict(type='mmmed.RandomIntensityVolume', gain_prob=0.3, gamma_prob=0.4),
    dict(type='mmmed.PackMedVolumes'),
]
test_pipeline = [
    dict(type='mmmed.LoadVolume'),
    dict(type='mmmed.NormalizeVolume'),
    dict(type='mmmed.PackMedVolumes'),
]

train_dataloader = dict(
    batch_size=2,
    # One worker augments while the other core trains.
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='mmmed.ForegroundSampler'),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split='train',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split='val',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='mmmed.CaseOverlapMetric')
test_evaluator = val_evaluator
