"""The demo's lesions: synthetic ones, new in every draw, in real cords.

Command: make demo-spine, or mim train mmseg configs/spinalunet/<this file>
    --cfg-options load_from=CORD.pth, the demo's cord: lesions are parts of it.
"""

_base_ = './spinalunet-c8_cord_1xb16-adam-14e_spinedemo-96x96.py'

data_root = 'work_dirs/demo-spine/lesion'
# Finer than for the cord, as lesions are small.
fit = dict(type='mmmed.FitSlice', size=(256, 256), pixel_mm=0.5)
train_pipeline = [
    _base_.load,
    dict(
        type='mmmed.SynthesizeCordLesions',
        recipe=dict(_base_.lesions, negative=0.25),
        focus=0.8,
    ),
    fit,
    dict(type='mmmed.SliceAugmentation', recipe='F'),
    dict(type='mmmed.RandomCropSlice', size=(128, 128), foreground_prob=0.8),
    dict(type='mmmed.PackMedInputs', label_dtype='uint8'),
]
test_pipeline = [
    _base_.load,
    dict(**fit, resize_seg=False),
    dict(type='mmmed.PackMedInputs', label_dtype='uint8'),
]
train_cfg = dict(max_epochs=10)
train_dataloader = dict(
    sampler=dict(positive_share=None),
    dataset=dict(
        data_root=data_root, target='lesion', slices='cord', pipeline=train_pipeline
    ),
)
test_dataloader = dict(
    dataset=dict(data_root=data_root, target='lesion', pipeline=test_pipeline)
)
