"""Correlation routing network 0.3 on slices as channels, on generated lesions.

Source: Wang et al. 2025, doi:10.1016/j.media.2025.103790. Differs: AdamW, 20 epochs;
see projects/lesion_classification.
Command: mim train mmseg configs/crn/<this file>, or all folds:
    python tools/cross_validate.py configs/crn/<this file> --checkpoint best
"""

_base_ = [
    '../_base_/models/crn.py',
    '../_base_/datasets/lesion6mm_rois.py',
    '../_base_/schedules/adamw_20e.py',
    '../_base_/cls_runtime.py',
]

model = dict(
    network=dict(variant='0.3', dims=2, slices=6),
    head=dict(
        targets=dict(t2=3, ap=4, pvp=3, dp=3),
        class_weight='balanced',
    ),
)
default_hooks = dict(checkpoint=dict(interval=4))
