"""ResNet 1.1 on each sequence in three dimensions, and attention over the sequences.

Source of the attention: Ilse et al. 2018, arXiv:1802.04712.
Command: mim train mmseg configs/resnet/<this file>
"""

_base_ = [
    '../_base_/models/roi_per_sequence.py',
    '../_base_/datasets/lesion6mm_rois.py',
    '../_base_/schedules/adamw_20e.py',
    '../_base_/cls_runtime.py',
]

model = dict(
    network=dict(sequences=_base_.sequences),
    head=dict(
        targets=dict(
            **dict(t1=2, t2=3, ap=4, pvp=3, dp=3, cent=2, prog=2, inner=2),
            **dict(fat=2, dwi=2, adc=2, type=6),
        ),
        class_weight='balanced',
    ),
)
default_hooks = dict(checkpoint=dict(interval=4))
