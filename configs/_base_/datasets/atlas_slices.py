"""ATLAS v2.0, slices of one plane, prepared by ``tools/prepare_dataset.py atlas``.

Source: Liew et al. 2022, Scientific Data 9:320, doi:10.1038/s41597-022-01401-7.
Another plane: ``plane`` of the three dataloaders' datasets, here 'axial'; nothing else
changes, the size strata follow it. Four slices as channels (D-UNet):
``neighbors=(-2, -1, 0, 1)`` likewise. Fold k of a cross-validation: ``fold=k``; without
one, the hold-out split.

Axial slices are 233 x 197, coronal 189 x 197, sagittal 189 x 233 pixels of 1 mm; the
model pads them to its size divisor.
"""

dataset_type = 'mmmed.AtlasDataset'
data_root = 'data/atlas'
plane = 'axial'

train_pipeline = [
    # Only sagittal slices have copies, in data_root/.slice_cache, 10 MB a subject.
    dict(type='mmmed.LoadVolumeSlice', cache_dir='auto'),
    # Along X in axial and coronal slices; sagittal slices have no left and right.
    dict(type='mmmed.RandomFlipSlice', prob=0.5, direction='left-right'),
    dict(type='mmmed.RandomAffineSlice', angle_deg=15.0, scale=(0.9, 1.1), prob=0.8),
    dict(type='mmmed.RandomIntensity', noise_std=(0.0, 6.0), prob=0.8),
    # Bytes halve the work per slice; a loss of the host's needs label_dtype='int64'.
    dict(type='mmmed.PackMedInputs', label_dtype='uint8'),
]
test_pipeline = [
    dict(type='mmmed.LoadVolumeSlice', cache_dir='auto'),
    dict(type='mmmed.PackMedInputs', label_dtype='uint8'),
]

train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=False,
    # Asked for by the host; its dataset and seed are used, its order is not.
    sampler=dict(type='DefaultSampler', shuffle=True),
    # Half of every batch shows a lesion, of sizes as frequent as in all of them.
    # endless is for schedules in iterations: at the end of an epoch the host would
    # start the workers anew. Epoch-based training needs False.
    batch_sampler=dict(
        type='mmmed.DistributionBatchSampler', lesion_share=0.5, endless=True
    ),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split='train',
        plane=plane,
        pipeline=train_pipeline,
    ),
)
# All slices of the validation subjects, lesion or not, so that the score per patient
# is the 3-D Dice; step=4 sees a quarter of each volume, for quick looks.
val_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split='val',
        plane=plane,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='mmmed.CaseOverlapMetric')
test_evaluator = val_evaluator
