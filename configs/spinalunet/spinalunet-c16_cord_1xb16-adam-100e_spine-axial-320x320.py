"""The primitive recipe on axial slices, whose pixels are smaller: 160 mm a side.

Command: mim train mmseg configs/spinalunet/<this file>
"""

_base_ = './spinalunet-c16_cord_1xb16-adam-100e_spine-sagittal-320x320.py'

plane = 'axial'
fit = dict(type='mmmed.FitSlice', size=(320, 320), pixel_mm=0.5)
train_pipeline = [
    _base_.load,
    fit,
    dict(type='mmmed.SliceAugmentation', recipe='E'),
    dict(type='mmmed.RandomPoseSlice', angle_deg=0.0, scale=(0.45, 1.1), prob=0.3),
    dict(type='mmmed.PackMedInputs', label_dtype='uint8'),
]
test_pipeline = [
    _base_.load,
    dict(**fit, resize_seg=False),
    dict(type='mmmed.PackMedInputs', label_dtype='uint8'),
]
train_dataloader = dict(dataset=dict(plane=plane, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(plane=plane, pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(plane=plane, pipeline=test_pipeline))
