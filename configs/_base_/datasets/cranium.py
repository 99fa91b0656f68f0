"""Head CT with hemorrhage, prepared by ``tools/prepare_dataset.py cranium``.

Source: Hssayeni et al. 2020, Data 5(1):14, doi:10.13026/w8q8-ky94, CC BY 4.0.
Fold k of a cross-validation: ``train_dataloader.dataset.fold=k``, and the same for
``val_dataloader`` and ``test_dataloader``. Without a fold: the hold-out split.
"""

dataset_type = 'mmmed.CraniumDataset'
data_root = 'data/cranium'
image_size = (512, 512)

train_pipeline = [
    # Decoded slices are kept in data_root/.slice_cache (0.7 GB for all of them).
    dict(type='mmmed.LoadSlice', size=image_size, cache_dir='auto'),
    dict(type='mmmed.RandomFlipSlice', prob=0.5, direction='horizontal'),
    dict(type='mmmed.RandomAffineSlice', angle_deg=15.0, scale=(0.9, 1.1), prob=0.8),
    dict(type='mmmed.RandomIntensity', noise_std=(0.0, 6.0), prob=0.8),
    # Bytes halve the work per slice; a loss of the host's needs label_dtype='int64'.
    dict(type='mmmed.PackMedInputs', label_dtype='uint8'),
]
# The label map keeps its original size: that is where predictions are compared.
test_pipeline = [
    dict(type='mmmed.LoadSlice', size=image_size, resize_seg=False),
    dict(type='mmmed.PackMedInputs'),
]
tta_pipeline = [
    dict(type='mmmed.LoadSlice', size=image_size, resize_seg=False),
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(type='mmmed.RandomFlipSlice', prob=0.0),
                dict(type='mmmed.RandomFlipSlice', prob=1.0),
            ],
            [dict(type='mmmed.PackMedInputs')],
        ],
    ),
]

# persistent_workers stays off: with num_workers=0 it raises, and an endless sampler
# never starts its workers anew anyway.
train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=False,
    # Half of every batch shows hemorrhage, against one slice in eight by nature.
    sampler=dict(type='mmmed.ForegroundSampler', positive_share=0.5),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split='train',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=4,
    num_workers=2,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split='val',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='mmmed.CaseOverlapMetric')
test_evaluator = val_evaluator
