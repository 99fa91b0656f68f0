"""The narrow recipe with plainly shuffled slices, to compare batches on a CPU.

Command: mim train mmseg configs/raxnet/<this file>
Expected: projects/stroke_atlas/results.md.
"""

_base_ = (
    './raxnet_rax-s5-c16_1xb16-dmb-tverskyfocal-adamw-400i_atlas2mm-axial-128x112.py'
)
train_dataloader = dict(
    sampler=dict(_delete_=True, type='mmmed.ForegroundSampler', positive_share=None),
    batch_sampler=None,
)
