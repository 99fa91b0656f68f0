"""EfficientViT-M5 tells whether a slice shows the spinal cord.

Slices are labelled by the pixels of their cord mask.

Command: mim train mmseg configs/efficientvit/<this file>
    --cfg-options model.network.backbone.pretrained=FOUNDATION.pth
"""

_base_ = './efficientvit-m5_anatomy_1xb200-adamw-25e_spine-224x224.py'

model = dict(head=dict(targets=dict(_delete_=True, cord=2)))
train_dataloader = dict(sampler=dict(target='cord'))
