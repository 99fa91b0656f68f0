"""Parkinson's disease from the midbrain in neuromelanin MRI and QSM, as published.

Source: RRMediCa@4ad848b and its PDCADxFoundation baseline; a vote of 14 networks of
this kind is right in 0.63 of 100 and 0.62 of 200 cases there. Differs: the best
checkpoint is chosen on validation patients, not on the test; class weights are of the
training fold; what is missing is 0, not noise; gradients are clipped.
Command: mim train mmseg configs/resnet/<this file>, or all folds:
    python tools/cross_validate.py configs/resnet/<this file> --checkpoint best
For one sequence: model.network.sequences=[nm] {train,val,test}_dataloader.dataset.
sequences=[nm]; other networks of the grid: model.network.backbone.type and variant.
"""

_base_ = [
    '../_base_/models/roi_early_fusion.py',
    '../_base_/datasets/midbrain_rois.py',
    '../_base_/schedules/sgd_epochs.py',
    '../_base_/cls_runtime.py',
]

model = dict(
    network=dict(
        backbone=dict(dims=2, legacy_pool=True),
        sequences=_base_.sequences,
        slices=6,
        append_available=False,
    ),
    head=dict(targets=dict(label=2)),
)
# The published score: early epochs count less.
val_evaluator = dict(warmup_epochs=120)
