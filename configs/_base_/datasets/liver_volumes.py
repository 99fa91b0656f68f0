"""CT of one organ with its tumors: real scans, synthetic tumors, or both.

Prepared by ``tools/prepare_dataset.py liver RAW --out data/liver --spacing 1`` (other
organs: ``--organ pancreas``, ``--organ kidney``). Labels: 0 background, 1 organ, 2
tumor. Window, patch, sampling and flips are those of the liver tumor recipes
(SyntheticTumors); rotation, scaling and resolution are added. Random changes are
applied by the model's data preprocessor, on its device; ``mmmed.WarpVolume`` before
``RandomIntensityVolume`` would leave them to the workers.

A recipe chooses one of ``real_pipeline`` and ``synthetic_pipeline``, and which scans.
"""

dataset_type = 'mmmed.VolumeDataset'
data_root = 'data/liver'
patch_size = (96, 96, 96)
tumor = 2
window = dict(type='mmmed.WindowVolume', low=-21.0, high=189.0)

affine = dict(
    type='mmmed.RandomAffineVolume',
    angle_deg=30.0,
    scale=(0.8, 1.25),
    rotate_prob=0.2,
    scale_prob=0.2,
)
# Half of the patches are centred on organ or tumor, one as often as the other.
load = dict(type='mmmed.LoadVolumePatch', size=patch_size, foreground_share=0.5)
changes = [
    window,
    dict(type='mmmed.RandomFlipVolume', axis_prob=0.2),
    dict(type='mmmed.RandomIntensityVolume', gain=(0.9, 1.1), noise_std=(0.0, 0.05)),
    dict(type='mmmed.PackMedVolumes'),
]
real_pipeline = [affine, load, *changes]
# Before the window, because it reckons in HU; only inside the patch.
synthetic_pipeline = [
    affine,
    load,
    dict(type='mmmed.SynthesizeLesions', recipe='public', organ='liver', prob=0.9),
    *changes,
]
test_pipeline = [
    dict(type='mmmed.LoadVolume'),
    window,
    dict(type='mmmed.PackMedVolumes'),
]

train_dataloader = dict(
    batch_size=2,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='mmmed.ForegroundSampler'),
    dataset=dict(
        type=dataset_type, data_root=data_root, split='train', pipeline=real_pipeline
    ),
)
# Scored on real tumors, whatever it was trained on.
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split='val',
        with_label=tumor,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='mmmed.CaseOverlapMetric')
test_evaluator = [
    dict(type='mmmed.CaseOverlapMetric'),
    dict(type='mmmed.SurfaceMetric', tolerance_mm=2.0),
    dict(type='mmmed.LesionMetric'),
]
