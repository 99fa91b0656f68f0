"""What recipes of slice segmentors share: epochs, best checkpoint, self-description."""

_base_ = './default_runtime.py'

log_processor = dict(by_epoch=True)
default_hooks = dict(
    logger=dict(interval=10, log_metric_by_epoch=True),
    # The Dice of whole volumes, mean over patients.
    checkpoint=dict(
        by_epoch=True,
        interval=5,
        max_keep_ckpts=1,
        save_best='overlap/dice_patient_cord',
        rule='greater',
    ),
)
custom_hooks = [dict(type='mmmed.SegmentationDescriptionHook')]
