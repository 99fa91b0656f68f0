"""The primitive recipe on brain and bone window, two input channels.

Prepare with --window both into data/cranium-both (tools/prepare_dataset.py).
Command: mim train mmseg configs/unet/<this file>
"""

_base_ = './unet-s5-c32_fcn_1xb16-dicece-sgd-20k_cranium-512x512.py'
model = dict(backbone=dict(in_channels=2))
data_root = 'data/cranium-both'
train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = dict(dataset=dict(data_root=data_root))
