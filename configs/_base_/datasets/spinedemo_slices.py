"""A few real images of cords, or generated ones: small slices of both planes.

Made by ``make demo-spine``. Nothing is validated: the one image that is kept for the
test decides nothing. Square pixels of 0.8 mm; windows of 96 of them, 77 mm, anywhere
in 205 mm, so that air is seen too.
"""

_base_ = './spine_slices.py'

data_root = 'work_dirs/demo-spine/cord'
fit = dict(type='mmmed.FitSlice', size=(256, 256), pixel_mm=0.8)
# As bright as water at most, which is 3.9 times the cord in the T2w images.
lesions = dict(negative=0.5, ratios=dict(T2w=(1.15, 3.9)))
train_pipeline = [
    _base_.load,
    # A lesion is no end of the cord.
    dict(type='mmmed.SynthesizeCordLesions', label='cord', recipe=lesions, focus=0.8),
    fit,
    # Few images, fewer of each sequence: their contrast must not matter.
    dict(type='mmmed.RandomCurveSlice', prob=0.3),
    # The cascade first looks at pixels twice as large; necks are bent.
    dict(type='mmmed.RandomPoseSlice', angle_deg=25.0, scale=(0.45, 1.2), prob=0.7),
    dict(type='mmmed.SliceAugmentation', recipe='F'),
    dict(type='mmmed.RandomCropSlice', size=(96, 96), foreground_prob=0.7),
    # Surface coils: half as bright at the other end of these few centimetres.
    dict(type='mmmed.RandomBiasSlice', order=2, gain=(0.4, 1.4), prob=0.5),
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
        # The smallest image has five slices, the largest four hundred.
        balance_patients=True,
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
        max_stretch=3.0,
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
