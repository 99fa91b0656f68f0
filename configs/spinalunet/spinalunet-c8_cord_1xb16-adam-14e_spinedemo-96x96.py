"""The demo's cord: eight features, both planes, 1400 steps.

Command: make demo-spine, or mim train mmseg configs/spinalunet/<this file>
Expected: see projects/spinal_cord_lesion; eight CPU-minutes.
"""

_base_ = [
    '../_base_/models/spinal_unet.py',
    '../_base_/datasets/spinedemo_slices.py',
    '../_base_/schedules/adam_cosine.py',
    '../_base_/spine_runtime.py',
]

model = dict(
    backbone=dict(features=8),
    # Over the batch: a window without cord says nothing about the Dice of one.
    decode_head=dict(loss_decode=dict(batch_dice=True)),
)
optim_wrapper = dict(optimizer=dict(lr=0.002))
train_cfg = dict(max_epochs=14)
auto_scale_lr = dict(base_batch_size=16)
val_cfg = None
default_hooks = dict(checkpoint=dict(save_best=None))
