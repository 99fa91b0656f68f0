"""RepViT-M1.0 on RadImageNet, for comparison with EfficientViT-M5.

6,477,481 parameters with one head.
Command: mim train mmseg configs/repvit/<this file>
"""

_base_ = '../efficientvit/efficientvit-m5_slice_1xb200-adamw-50e_radimagenet-224x224.py'

model = dict(
    network=dict(backbone=dict(model='repvit_m1_0')), head=dict(batch_norm=True)
)
