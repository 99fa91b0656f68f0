"""3-D U-Net on synthetic tumors in the liver of one scan, on a CPU.

Command: mim train mmseg configs/unet3d/<this file>
Data: one CT with an organ mask, and the same with lesions of other seeds to choose the
checkpoint; projects/liver_tumor_synthesis says how to prepare them into data/ct3mm.
It is tested on lesions of yet other seeds in the same liver: that shows what the chain
finds, and nothing about patients.
"""

_base_ = './unet3d-s4-c16_nd_1xb2-synth-dicece-adamw-1500i_abdomen3mm-vol-32x64x64.py'

data_root = 'data/ct3mm'
pipeline = [
    _base_.affine,
    _base_.load,
    dict(type='mmmed.SynthesizeLesions', recipe='public', organ='liver', prob=0.9),
    *_base_.changes,
]
train_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        fold=None,
        folds_on=None,
        without_label=None,
        pipeline=pipeline,
    )
)
val_dataloader = dict(dataset=dict(data_root=data_root, fold=None, folds_on=None))
test_dataloader = dict(dataset=dict(data_root=data_root, folds_on=None))
