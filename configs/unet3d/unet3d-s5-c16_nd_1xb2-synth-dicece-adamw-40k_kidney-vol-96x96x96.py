"""3-D U-Net on synthetic tumors in healthy kidneys.

Command: mim train mmseg configs/unet3d/<this file>
Data: tools/prepare_dataset.py liver RAW --organ kidney --spacing-mm 1 1 1
    --out data/kidney
Source: Pixel2Cancer, Lai et al. 2024, arXiv:2403.06459 (window). Not measured here: the
data are not at hand. Differs: ellipsoids; ``recipe='automaton'`` grows cells.
"""

_base_ = './unet3d-s5-c16_nd_1xb2-synth-dicece-adamw-40k_liver-vol-96x96x96.py'

data_root = 'data/kidney'
window = dict(type='mmmed.WindowVolume', low=-175.0, high=250.0)
train_pipeline = [
    _base_.affine,
    _base_.load,
    dict(type='mmmed.SynthesizeLesions', recipe='public', organ='kidney', prob=0.9),
    window,
    *_base_.changes[1:],
]
test_pipeline = [
    dict(type='mmmed.LoadVolume'),
    window,
    dict(type='mmmed.PackMedVolumes'),
]
train_dataloader = dict(dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(data_root=data_root, pipeline=test_pipeline))
test_dataloader = val_dataloader
