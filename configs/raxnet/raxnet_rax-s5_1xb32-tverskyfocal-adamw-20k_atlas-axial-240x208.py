"""The primitive recipe with plainly shuffled slices, lesion or not.

Command: mim train mmseg configs/raxnet/<this file>
"""

_base_ = './raxnet_rax-s5_1xb32-dmb-tverskyfocal-adamw-20k_atlas-axial-240x208.py'
train_dataloader = dict(
    sampler=dict(_delete_=True, type='mmmed.ForegroundSampler', positive_share=None),
    batch_sampler=None,
)
