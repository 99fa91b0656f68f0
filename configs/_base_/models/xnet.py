"""X-Net, one output channel (sigmoid), Tversky + focal loss.

Source: Qi et al. 2019, arXiv:1907.07000.
Differs: the network gives logits, takes any image size, and its loss.
The L2 penalty of 1e-5 on convolutions is weight_decay of the optimizer.
15,072,332 trainable parameters, 23.3 GMAC at 208x240.

For a network that trains on a CPU, override model.backbone.base_channels.
"""

data_preprocessor = dict(
    type='SegDataPreProcessor',
    # 0..255 to 0..1, any number of channels; with mean 0 the padding, 0, is background.
    mean=[0.0],
    std=[255.0],
    bgr_to_rgb=False,
    pad_val=0,
    seg_pad_val=255,
    # The network pads to multiples of 16 itself, the same way in training, testing and
    # export: half of the margin on either side, as published.
    size_divisor=1,
)
model = dict(
    type='mmmed.MedEncoderDecoder',
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type='mmmed.XNet',
        in_channels=1,
        out_channels=1,
        base_channels=64,
    ),
    decode_head=dict(
        type='mmmed.MedLogitHead',
        num_classes=2,
        out_channels=1,
        threshold=0.5,
        align_corners=False,
        ignore_index=255,
        # Tversky + focal over the batch, smoothed by one pixel: the best of RAX-Net's
        # own comparison, and one for all networks so that they can be compared.
        # The paper's: cross-entropy + Dice, mmmed.DiceCELoss.
        # Another loss needs _delete_=True, or it inherits these arguments.
        loss_decode=dict(type='mmmed.TverskyFocalLoss', batch_dice=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
# For "mim test ... --tta", with the dataset's tta_pipeline.
tta_model = dict(type='mmmed.MedSegTTAModel')
