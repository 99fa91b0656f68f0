"""What complete networks share: greys 0..1, one sigmoid channel, Tversky + focal loss.

The backbone gives the logits; the model bases beside this one name it.
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
    decode_head=dict(
        type='mmmed.MedLogitHead',
        num_classes=2,
        out_channels=1,
        threshold=0.5,
        align_corners=False,
        ignore_index=255,
        # Tversky + focal over the batch, smoothed by one pixel: the best of RAX-Net's
        # own comparison, and one for all networks so that they can be compared.
        # Another loss needs _delete_=True, or it inherits these arguments.
        loss_decode=dict(type='mmmed.TverskyFocalLoss', batch_dice=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
# For "mim test ... --tta", with the dataset's tta_pipeline.
tta_model = dict(type='mmmed.MedSegTTAModel')
