"""RadImageNet, pictures of 165 classes in folders; any other class folder does as well.

Prepared by ``tools/prepare_dataset.py picture-classes RAW --out data/radimagenet``.
Source: Mei et al. 2022, Radiology: Artificial Intelligence 4(5):e210315; on request.
Its pictures do not say whose they are: without --table or --patient-pattern the
validation score is that of pictures, not of patients.
"""

data_root = 'data/radimagenet'
load = dict(type='mmmed.LoadSlice', size=(224, 224))
train_pipeline = [
    load,
    dict(type='mmmed.WindowSlice'),
    dict(type='mmmed.SliceAugmentation', recipe='B'),
    dict(type='mmmed.PackSliceTargets'),
]
test_pipeline = [
    load,
    dict(type='mmmed.WindowSlice'),
    dict(type='mmmed.PackSliceTargets'),
]

train_dataloader = dict(
    batch_size=200,
    num_workers=8,
    persistent_workers=True,
    # Every picture once an epoch.
    sampler=dict(
        type='mmmed.ForegroundSampler', positive_share=None, epoch_length='dataset'
    ),
    dataset=dict(
        type='mmmed.PictureClassDataset',
        data_root=data_root,
        split='train',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=200,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmmed.PictureClassDataset',
        data_root=data_root,
        split='val',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
