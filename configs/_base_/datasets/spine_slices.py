"""Spinal cord MRI, slices of one plane with the mask of the cord.

Prepared by ``tools/prepare_dataset.py spine RAW --out data/spine``. Another plane:
``plane`` of the three dataloaders' datasets, here 'sagittal'. Fold k of a
cross-validation: ``fold=k``; without one, the hold-out split.

Slices get square pixels of 0.8 mm and 320 of them a side: 256 mm, the field of view of
the source's T2w images without resampling. Augmentation: recipe E of
mmmed.SliceAugmentation, and smaller magnifications than the source has.
"""

data_root = 'data/spine'
plane = 'sagittal'
target = 'cord'
load = dict(type='mmmed.LoadVolumeSlice', dtype='float32', cache_dir='auto')
fit = dict(type='mmmed.FitSlice', size=(320, 320), pixel_mm=0.8)
train_pipeline = [
    load,
    fit,
    dict(type='mmmed.SliceAugmentation', recipe='E'),
    # The cascade first looks for the cord on pixels twice as large.
    dict(type='mmmed.RandomPoseSlice', angle_deg=0.0, scale=(0.45, 1.1), prob=0.3),
    dict(type='mmmed.PackMedInputs', label_dtype='uint8'),
]
# Predictions are compared on the grid of the file.
test_pipeline = [
    load,
    dict(**fit, resize_seg=False),
    dict(type='mmmed.PackMedInputs', label_dtype='uint8'),
]

train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(
        type='mmmed.ForegroundSampler', positive_share=None, epoch_length='dataset'
    ),
    dataset=dict(
        type='mmmed.SpineDataset',
        data_root=data_root,
        split='train',
        plane=plane,
        target=target,
        is_masked_only=True,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmmed.SpineDataset',
        data_root=data_root,
        split='val',
        plane=plane,
        target=target,
        is_masked_only=True,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='mmmed.CaseOverlapMetric')
test_evaluator = val_evaluator
