"""UniFormer 1.4 on eight phases, fused after two stages, on LLD-MMRI.

Source of data and protocol: LLD-MMRI 2023, whose baseline (a UniFormer-S, all phases
as channels) has F1 0.608 and kappa 0.541 on its 104 test lesions; the winner 0.832 and
0.780. Differs: a network of 0.9 M parameters; no pretraining; five folds by patient.
Never trained by us on these data.
Command: mim train mmseg configs/uniformer/<this file>, or all folds:
    python tools/cross_validate.py configs/uniformer/<this file> --checkpoint best
"""

_base_ = [
    '../_base_/models/roi_uniformer.py',
    '../_base_/datasets/lld_rois.py',
    '../_base_/schedules/adamw_epochs.py',
    '../_base_/cls_runtime.py',
]

model = dict(
    network=dict(sequences=_base_.sequences),
    head=dict(targets=dict(type=7)),
)
