"""The U-Net of the spinal cord pipeline for the cord, the primitive recipe.

Source: experiments of davidcahyadi/auto-spinal-cord-lesion-seg (cord, recipe E).
Differs: 16 features and 100 epochs (there 64 and 300), Dice beside cross-entropy,
square pixels in mm, volumes of a patient on one side, validation by Dice of volumes.
1,942,299 parameters.
Command: mim train mmseg configs/spinalunet/<this file>
Expected: not measured on Spine Generic yet; see projects/spinal_cord_lesion.
"""

_base_ = [
    '../_base_/models/spinal_unet.py',
    '../_base_/datasets/spine_slices.py',
    '../_base_/schedules/adam_cosine.py',
    '../_base_/spine_runtime.py',
]

optim_wrapper = dict(optimizer=dict(lr=0.0002))
train_cfg = dict(max_epochs=100)
auto_scale_lr = dict(base_batch_size=16)
