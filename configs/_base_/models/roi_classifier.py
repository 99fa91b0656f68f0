"""What classifiers of lesions share: a head per target, cross-entropy, class weights.

The networks beside this file complete it. A recipe sets model.network.sequences and
model.head.targets, {name: number of classes}.
"""

model = dict(
    type='mmmed.VolumeClassifier',
    data_preprocessor=dict(type='mmmed.ROIDataPreprocessor'),
    head=dict(
        type='mmmed.MultiTargetHead',
        targets=dict(),
        # N / n_c of the training fold; mmmed.ClassBalanceHook counts it.
        class_weight='inverse',
    ),
    train_cfg=dict(),
    test_cfg=dict(),
)
