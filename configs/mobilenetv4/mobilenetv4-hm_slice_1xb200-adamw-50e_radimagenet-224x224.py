"""MobileNetV4 hybrid medium on RadImageNet, for comparison with EfficientViT-M5.

10,004,437 parameters.
Command: mim train mmseg configs/mobilenetv4/<this file>
"""

_base_ = '../efficientvit/efficientvit-m5_slice_1xb200-adamw-50e_radimagenet-224x224.py'

model = dict(
    network=dict(backbone=dict(model='mobilenetv4_hybrid_medium')),
    head=dict(batch_norm=False),
)
