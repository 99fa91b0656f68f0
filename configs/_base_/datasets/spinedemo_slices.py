"""A few real images of cords, or generated ones: small slices of both planes.

Made by ``make demo-spine``. Nothing is validated: the one image that is kept for the
test decides nothing. Square pixels of 0.8 mm, 128 of them a side: 102 mm.
"""

_base_ = './spine_slices.py'

data_root = 'work_dirs/demo-spine/cord'
fit = dict(type='mmmed.FitSlice', size=(128, 128), pixel_mm=0.8)
train_pipeline = [
    _base_.load,
    fit,
    # Few images, fewer of each sequence: their contrast must not matter.
    dict(type='mmmed.RandomInvertSlice', prob=0.4),
    dict(type='mmmed.SliceAugmentation', recipe='F'),
    dict(type='mmmed.PackMedInputs', label_dtype='uint8'),
]
test_pipeline = [
    _base_.load,
    dict(**fit, resize_seg=False),
    dict(type='mmmed.PackMedInputs', label_dtype='uint8'),
]
planes = ('axial', 'sagittal')
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(
        _delete_=True,
        type='mmmed.ForegroundSampler',
        positive_share=0.75,
        epoch_length=1600,
    ),
    dataset=dict(
        _delete_=True,
        type='mmmed.PlanesDataset',
        planes=planes,
        data_root=data_root,
        split='train',
        target='cord',
        is_masked_only=True,
        pipeline=train_pipeline,
    ),
)
val_dataloader = None
val_evaluator = None
test_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        _delete_=True,
        type='mmmed.PlanesDataset',
        planes=planes,
        data_root=data_root,
        split='val',
        target='cord',
        is_masked_only=True,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
