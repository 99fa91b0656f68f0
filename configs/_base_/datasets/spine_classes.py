"""Spinal cord MRI, slices of all planes with their classes.

Prepared by ``tools/prepare_dataset.py spine RAW --out data/spine``, which knows the
classes of a series from names or a table (--targets). A slice has all targets of
``mmmed.SpineDataset``; the head chooses. Slices of other body parts for the anatomy
gate are cases of the same folder.

Augmentation: recipe B of mmmed.SliceAugmentation; A is the light one.
"""

data_root = 'data/spine'
# Square pixels of 1 mm: a slice keeps its proportions, and a vertebra its size.
fit = dict(type='mmmed.FitSlice', size=(224, 224), pixel_mm=1.0)
load = dict(type='mmmed.LoadVolumeSlice', dtype='float32', cache_dir='auto')
train_pipeline = [
    load,
    fit,
    dict(type='mmmed.WindowSlice'),
    dict(type='mmmed.SliceAugmentation', recipe='B'),
    dict(type='mmmed.PackSliceTargets'),
]
test_pipeline = [
    load,
    fit,
    dict(type='mmmed.WindowSlice'),
    dict(type='mmmed.PackSliceTargets'),
]

train_dataloader = dict(
    batch_size=200,
    num_workers=2,
    persistent_workers=True,
    # Classes of this target come equally often; slices without a label never.
    sampler=dict(
        type='mmmed.WeightedClassSampler', target='anatomy', epoch_length='dataset'
    ),
    dataset=dict(
        type='mmmed.PlanesDataset',
        planes=('axial', 'coronal', 'sagittal'),
        data_root=data_root,
        split='train',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=200,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmmed.PlanesDataset',
        planes=('axial', 'coronal', 'sagittal'),
        data_root=data_root,
        split='val',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
