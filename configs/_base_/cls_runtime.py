"""What recipes of classifiers share: epochs, best checkpoint, records, scores."""

_base_ = './default_runtime.py'

log_processor = dict(by_epoch=True)
default_hooks = dict(
    logger=dict(interval=10, log_metric_by_epoch=True),
    # Chosen on validation cases; cls/auc_macro_mean and cls/log_loss_mean do as well.
    checkpoint=dict(
        by_epoch=True,
        interval=1,
        max_keep_ckpts=1,
        save_best='cls/composite',
        rule='greater',
    ),
    case_table=dict(save_masks=False),
)
custom_hooks = [
    dict(type='mmmed.ClassBalanceHook'),
    dict(type='mmmed.ClassificationRecordHook'),
    dict(type='mmmed.CalibrationHook'),
    dict(type='mmmed.SelfDescriptionHook'),
]
# No intervals while it trains: they cost more than the validation.
val_evaluator = dict(type='mmmed.ClassificationMetric', num_resamples=0)
test_evaluator = dict(type='mmmed.ClassificationMetric')
