"""What every recipe shares: host scope, repairs, logs, hooks, seed."""

default_scope = 'mmseg'
# Runs before the host's models are imported; see mmmed/compat.py.
custom_imports = dict(imports=['mmmed.compat'], allow_failed_imports=False)

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
randomness = dict(seed=0, deterministic=False)

vis_backends = [dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
visualizer = dict(
    type='SegLocalVisualizer', vis_backends=vis_backends, name='visualizer'
)
log_processor = dict(by_epoch=False)
log_level = 'INFO'
load_from = None
resume = False

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    checkpoint=dict(
        type='mmmed.ResumableCheckpointHook',
        by_epoch=False,
        interval=500,
        max_keep_ckpts=2,
        save_best='overlap/dice_patient_hemorrhage',
        rule='greater',
    ),
    run_record=dict(type='mmmed.RunRecordHook'),
    case_table=dict(type='mmmed.CaseTableHook'),
)
