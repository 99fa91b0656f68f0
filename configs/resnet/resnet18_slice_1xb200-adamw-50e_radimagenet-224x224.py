"""ResNet-18 on RadImageNet, for comparison with EfficientViT-M5.

11,254,885 parameters.
Command: mim train mmseg configs/resnet/<this file>
"""

_base_ = '../efficientvit/efficientvit-m5_slice_1xb200-adamw-50e_radimagenet-224x224.py'

model = dict(network=dict(backbone=dict(model='resnet18')), head=dict(batch_norm=False))
