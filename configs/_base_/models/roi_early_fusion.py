"""3-D ResNet 1.1 on all sequences as channels: the plain network.

Source: He et al. 2016, arXiv:1512.03385; widths of RRMediCa@4ad848b. Differs: three
dimensions; the mask of missing sequences is among the features.

Other backbones: model.network.backbone.type=mmmed.ROIVGG, mmmed.ROIDenseNet,
mmmed.ROIShuffleNetV2 and their variants; MONAI's need _delete_=True
(mmmed.MonaiResNetEncoder, ...). As published: backbone.variant=1.1 backbone.dims=2
network.slices=6 network.append_available=False (46,770 parameters with one sequence).
"""

_base_ = './roi_classifier.py'

model = dict(
    network=dict(
        type='mmmed.EarlyFusionEncoder',
        backbone=dict(type='mmmed.ROIResNet', variant='1.1', dims=3),
        sequences=[],
        channels=1,
        slices=None,
        missing='zero',
        append_available=True,
    )
)
