"""The demo's lesions: synthetic ones, new in every draw, in real cords.

Command: make demo-spine, or mim train mmseg configs/spinalunet/<this file>
"""

_base_ = './spinalunet-c8_cord_1xb16-adam-6e_spinedemo-128x128.py'

data_root = 'work_dirs/demo-spine/lesion'
train_pipeline = [
    _base_.load,
    dict(type='mmmed.SynthesizeCordLesions'),
    _base_.fit,
    dict(type='mmmed.SliceAugmentation', recipe='F'),
    dict(type='mmmed.PackMedInputs', label_dtype='uint8'),
]
train_dataloader = dict(
    sampler=dict(positive_share=None),
    dataset=dict(
        data_root=data_root, target='lesion', slices='cord', pipeline=train_pipeline
    ),
)
test_dataloader = dict(dataset=dict(data_root=data_root, target='lesion'))
