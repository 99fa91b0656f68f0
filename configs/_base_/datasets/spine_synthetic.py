"""Spinal cords that get synthetic lesions: new ones in training, fixed ones in tests.

Prepared as for ``spine_lesions.py``; images with a cord and without a lesion file are
free of lesions (--unmarked healthy).
"""

_base_ = './spine_lesions.py'

synthesize = dict(type='mmmed.SynthesizeCordLesions')
# The lesions of a volume follow from its name alone.
fixed = dict(**synthesize, is_fixed=True)
train_pipeline = [
    _base_.load,
    synthesize,
    _base_.fit,
    dict(type='mmmed.SliceAugmentation', recipe='E'),
    dict(type='mmmed.PackMedInputs', label_dtype='uint8'),
]
test_pipeline = [
    _base_.load,
    fixed,
    dict(**_base_.fit, resize_seg=False),
    dict(type='mmmed.PackMedInputs', label_dtype='uint8'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
