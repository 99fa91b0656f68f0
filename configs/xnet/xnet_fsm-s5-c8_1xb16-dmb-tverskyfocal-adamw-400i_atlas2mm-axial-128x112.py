"""A narrow X-Net on 2 mm slices that a CPU core trains in six minutes.

Command: mim train mmseg configs/xnet/<this file>
Expected: projects/stroke_atlas/results.md.
"""

_base_ = [
    '../_base_/models/xnet.py',
    '../_base_/datasets/atlas2mm_slices.py',
    '../_base_/schedules/adamw_400i.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(base_channels=8))
default_hooks = dict(
    logger=dict(interval=20),
    checkpoint=dict(
        interval=100, max_keep_ckpts=1, save_best='overlap/dice_patient_lesion'
    ),
)
