"""The demo's cord: eight features, both planes, a few hundred steps.

Command: make demo-spine, or mim train mmseg configs/spinalunet/<this file>
Expected: see projects/spinal_cord_lesion; five CPU-minutes.
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
train_cfg = dict(max_epochs=6)
val_cfg = None
default_hooks = dict(checkpoint=dict(save_best=None))
