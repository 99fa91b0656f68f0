"""Correlation routing network 1.1 in three dimensions on liver lesions.

Source: Wang et al. 2025, doi:10.1016/j.media.2025.103790: accuracy 0.88 of six types,
0.849 of the signs, on data that are not public; RRMediCa@4ad848b. Differs: three
dimensions, joint augmentation, missing sequences, AdamW; the published training of the
network is not known. Set model.head.targets to the classes of your signs.
Command: mim train mmseg configs/crn/<this file>, or all folds:
    python tools/cross_validate.py configs/crn/<this file> --checkpoint best
"""

_base_ = [
    '../_base_/models/crn.py',
    '../_base_/datasets/lesion_rois.py',
    '../_base_/schedules/adamw_epochs.py',
    '../_base_/cls_runtime.py',
]

optim_wrapper = dict(optimizer=dict(lr=0.001, weight_decay=0.01))
auto_scale_lr = dict(base_batch_size=16)
