"""A narrow U-Net on 2 mm slices that a CPU core trains in ten minutes.

Command: mim train mmseg configs/unet/<this file>
Expected: projects/stroke_atlas/results.md.
"""

_base_ = [
    '../_base_/models/unet2d.py',
    '../_base_/datasets/atlas2mm_slices.py',
    '../_base_/schedules/adamw_400i.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(base_channels=12),
    decode_head=dict(
        in_channels=12,
        channels=12,
        loss_decode=dict(_delete_=True, type='mmmed.TverskyFocalLoss', batch_dice=True),
    ),
)
default_hooks = dict(
    logger=dict(interval=20),
    checkpoint=dict(
        interval=100, max_keep_ckpts=1, save_best='overlap/dice_patient_lesion'
    ),
)
