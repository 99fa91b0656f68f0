"""ResNet 1.1, slices of all sequences as channels of one 2-D network.

Source: RRMediCa@4ad848b ("Aux" networks). Differs: AdamW, 20 epochs, the mask of
missing sequences is among the features; see projects/lesion_classification.
Command: mim train mmseg configs/resnet/<this file>, or all folds:
    python tools/cross_validate.py configs/resnet/<this file> --checkpoint best
"""

_base_ = [
    '../_base_/models/roi_early_fusion.py',
    '../_base_/datasets/lesion6mm_rois.py',
    '../_base_/schedules/adamw_20e.py',
    '../_base_/cls_runtime.py',
]

model = dict(
    network=dict(
        backbone=dict(dims=2),
        sequences=_base_.sequences,
        slices=6,
    ),
    head=dict(
        targets=dict(
            **dict(t1=2, t2=3, ap=4, pvp=3, dp=3, cent=2, prog=2, inner=2),
            **dict(fat=2, dwi=2, adc=2, type=6),
        ),
        class_weight='balanced',
    ),
)
default_hooks = dict(checkpoint=dict(interval=4))
