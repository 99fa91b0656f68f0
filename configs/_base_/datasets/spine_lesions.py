"""Spinal cord MRI, slices of one plane with the mask of lesions, and the cord's.

Prepared by ``tools/prepare_dataset.py spine RAW --target lesion --out
data/spine_lesion``. Trained on slices that show the cord, tested on all. Augmentation:
recipe F of mmmed.SliceAugmentation, or E, the milder one.
"""

_base_ = './spine_slices.py'

data_root = 'data/spine_lesion'
train_pipeline = [
    _base_.load,
    _base_.fit,
    dict(type='mmmed.SliceAugmentation', recipe='F'),
    dict(type='mmmed.PackMedInputs', label_dtype='uint8'),
]
train_dataloader = dict(
    batch_size=64,
    dataset=dict(
        data_root=data_root, target='lesion', slices='cord', pipeline=train_pipeline
    ),
)
val_dataloader = dict(dataset=dict(data_root=data_root, target='lesion'))
test_dataloader = dict(dataset=dict(data_root=data_root, target='lesion'))
