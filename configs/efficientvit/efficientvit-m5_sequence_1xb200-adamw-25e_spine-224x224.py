"""EfficientViT-M5 tells the sequence of a slice: T1w, T2w, T2*w or other.

Command: mim train mmseg configs/efficientvit/<this file>
    --cfg-options model.network.backbone.pretrained=FOUNDATION.pth
"""

_base_ = './efficientvit-m5_anatomy_1xb200-adamw-25e_spine-224x224.py'

model = dict(head=dict(targets=dict(_delete_=True, sequence=4)))
train_dataloader = dict(sampler=dict(target='sequence'))
