"""EfficientViT-M5 on RadImageNet: the foundation of all slice classifiers.

Source: experiments of davidcahyadi/auto-spinal-cord-lesion-seg (foundation, s4).
Differs: the checkpoint is chosen on validation pictures, not on the training loss.
12,151,865 parameters.
Command: mim train mmseg configs/efficientvit/<this file>
Expected: not measured; the pictures are on request. Its checkpoint then serves others:
    --cfg-options model.network.backbone.pretrained=work_dirs/<this>/best_....pth
"""

_base_ = [
    '../_base_/models/slice_classifier.py',
    '../_base_/datasets/radimagenet.py',
    '../_base_/schedules/adamw_cosine.py',
    '../_base_/cls_runtime.py',
]

# A folder of other classes: --cfg-options model.head.targets.class=K.
model = dict(head=dict(targets={'class': 165}))
train_cfg = dict(max_epochs=50)
