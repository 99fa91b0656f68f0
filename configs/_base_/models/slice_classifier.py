"""EfficientViT-M5 on single slices, grey values 0..1: classes of one target or more.

Source: Liu et al. 2023, CVPR, arXiv:2305.07027, from timm; 12,151,865 parameters with
165 classes. Differs: nothing is downloaded.

A recipe sets model.head.targets, {name: number of classes}; two names make a
multi-task head. Other networks need no square of 224:
``--cfg-options model.network.backbone.model=resnet18 model.head.batch_norm=False``, the
same with mobilenetv4_hybrid_medium, and repvit_m1_0 with batch_norm=True (one head;
published: two, of which one learns from a teacher). Weights of a foundation training:
``model.network.backbone.pretrained=FILE``, of whatever classes, and ``.frozen=True``
to train the head alone.
"""

model = dict(
    type='mmmed.VolumeClassifier',
    data_preprocessor=dict(type='mmmed.ROIDataPreprocessor'),
    network=dict(
        type='mmmed.EarlyFusionEncoder',
        # A slice is a volume of one slice, the mean over slices that slice itself.
        backbone=dict(
            type='mmmed.TimmSliceEncoder',
            model='efficientvit_m5',
            pool='mean',
            pretrained=None,
            frozen=False,
        ),
        sequences=1,
        append_available=False,
    ),
    head=dict(type='mmmed.MultiTargetHead', targets=dict(), batch_norm=True),
    train_cfg=dict(),
    test_cfg=dict(),
)
