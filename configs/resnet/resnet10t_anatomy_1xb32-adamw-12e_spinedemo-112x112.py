"""The demo's gate of the anatomy: a small network, 600 steps.

Command: make demo-spine, or mim train mmseg configs/resnet/<this file>
Expected: see projects/spinal_cord_lesion; five CPU-minutes.
"""

_base_ = [
    '../_base_/models/slice_classifier.py',
    '../_base_/datasets/spinedemo_classes.py',
    '../_base_/schedules/adamw_cosine.py',
    '../_base_/cls_runtime.py',
]

model = dict(
    # Of a few hundred steps a convolutional network makes more than EfficientViT.
    network=dict(backbone=dict(model='resnet10t')),
    head=dict(targets=dict(anatomy=4), batch_norm=False),
)
train_cfg = dict(max_epochs=12)
auto_scale_lr = dict(base_batch_size=32)
val_cfg = None
val_evaluator = None
default_hooks = dict(checkpoint=dict(save_best=None))
# Without validation there is nothing to calibrate on.
custom_hooks = [dict(type='mmmed.SelfDescriptionHook')]
