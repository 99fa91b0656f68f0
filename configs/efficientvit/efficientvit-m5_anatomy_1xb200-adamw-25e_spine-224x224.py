"""EfficientViT-M5 tells the anatomy of a slice: spine, head, abdomen or other.

The primitive recipe of the gates: classes equally often, all planes, 1 mm pixels.
Source: experiments of davidcahyadi/auto-spinal-cord-lesion-seg (recipe B, AdamW).
Differs: a gate of its own, where the source votes with 165 classes; patients never
cross sides; the checkpoint is chosen on validation slices.
Command: mim train mmseg configs/efficientvit/<this file>
    --cfg-options model.network.backbone.pretrained=FOUNDATION.pth
"""

_base_ = [
    '../_base_/models/slice_classifier.py',
    '../_base_/datasets/spine_classes.py',
    '../_base_/schedules/adamw_cosine.py',
    '../_base_/cls_runtime.py',
]

model = dict(head=dict(targets=dict(anatomy=4)))
