"""Lesions with a network that loses 85 % of its parameters while it trains.

Source: Dinsdale et al. 2022, doi:10.1016/j.media.2022.102583; Taylor saliency, as in
davidcahyadi/auto-spinal-cord-lesion-seg. Differs: two of a hundred filters every five
epochs (there one every ten), so that 300 epochs do.
Command: mim train mmseg configs/spinalunet/<this file>
    --cfg-options load_from=PRETRAINED.pth
"""

_base_ = './spinalunet-c16_lesion_1xb64-dice-adam-200e_spinelesion-sagittal-320x320.py'

train_cfg = dict(max_epochs=300)
# The last network is the one that lost them; the best may be one that had not yet.
default_hooks = dict(checkpoint=dict(save_best=None))
custom_hooks = [
    dict(type='mmmed.SegmentationDescriptionHook'),
    dict(
        type='mmmed.STAMPPruningHook',
        mode='taylor',
        percentage=2.0,
        prune_every=5,
        recovery=40,
        until=0.85,
    ),
]
