"""EfficientViT-M5 tells location and view of a slice with two heads.

Source: what the README of davidcahyadi/auto-spinal-cord-lesion-seg describes; its code
has ten classes in one head.

Command: mim train mmseg configs/efficientvit/<this file>
    --cfg-options model.network.backbone.pretrained=FOUNDATION.pth
"""

_base_ = './efficientvit-m5_anatomy_1xb200-adamw-25e_spine-224x224.py'

model = dict(head=dict(targets=dict(_delete_=True, location=3, view=3)))
train_dataloader = dict(sampler=dict(target='location_view'))
