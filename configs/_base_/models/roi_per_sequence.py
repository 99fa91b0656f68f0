"""3-D ResNet 1.1 on each sequence, and attention over those that are there.

Sources: He et al. 2016, arXiv:1512.03385; attention: Ilse et al. 2018,
arXiv:1802.04712. Differs: an embedding says which sequence a vector is of.

An encoder each: model.network.shared=False. Slices through a 2-D encoder:
model.network.backbone=dict(_delete_=True, type='mmmed.TimmSliceEncoder',
model='resnet18'), which needs the extra "timm".
"""

_base_ = './roi_classifier.py'

model = dict(
    network=dict(
        type='mmmed.PerSequenceEncoder',
        backbone=dict(type='mmmed.ROIResNet', variant='1.1', dims=3),
        sequences=[],
        shared=True,
        fusion='attention',
        channels=1,
        slices=None,
        missing='zero',
    )
)
