"""2-D U-Net of five stages, one output channel (sigmoid), Dice + cross-entropy.

Source: Ronneberger et al. 2015, arXiv:1505.04597, as the host's UNet backbone.
Differs: half the channels, bilinear upsampling, padded convolutions, instance
normalisation, no dropout. 7.25 M parameters.

To change the width, override model.backbone.base_channels and decode_head.in_channels
and .channels together; for more input channels, model.backbone.in_channels.
"""

base_channels = 32
# Per image and channel: the result depends neither on who else is in the batch nor on
# the number of processes, and it works on a CPU, where SyncBN does not.
norm_cfg = dict(type='IN', affine=True)

data_preprocessor = dict(
    type='SegDataPreProcessor',
    # 0..255 to 0..1, any number of channels. Instance normalisation after the first
    # convolution undoes any other scale; with mean 0 the padding, 0, is air.
    mean=[0.0],
    std=[255.0],
    bgr_to_rgb=False,
    pad_val=0,
    seg_pad_val=255,
    # Four halvings. Test images are padded by model.test_cfg.
    size_divisor=16,
)
model = dict(
    type='mmmed.MedEncoderDecoder',
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type='UNet',
        in_channels=1,
        base_channels=base_channels,
        num_stages=5,
        strides=(1, 1, 1, 1, 1),
        enc_num_convs=(2, 2, 2, 2, 2),
        dec_num_convs=(2, 2, 2, 2),
        downsamples=(True, True, True, True),
        enc_dilations=(1, 1, 1, 1, 1),
        dec_dilations=(1, 1, 1, 1),
        norm_cfg=norm_cfg,
        act_cfg=dict(type='ReLU'),
        upsample_cfg=dict(type='InterpConv'),
    ),
    decode_head=dict(
        type='mmmed.MedFCNHead',
        in_channels=base_channels,
        in_index=4,
        channels=base_channels,
        num_convs=1,
        concat_input=False,
        # Dropout draws differ between processes; without it two processes train like
        # one with the doubled batch.
        dropout_ratio=0.0,
        num_classes=2,
        out_channels=1,
        threshold=0.5,
        norm_cfg=norm_cfg,
        align_corners=False,
        ignore_index=255,
        # Over the batch: most slices show no lesion, and a Dice of such a slice alone
        # teaches the network to predict nothing at all.
        loss_decode=dict(type='mmmed.DiceCELoss', batch_dice=True),
        # Starts at p = 0.01 (Lin et al. 2017, section 4.1) and not at 0.5: the first
        # steps need not drive millions of healthy pixels down before a lesion shows.
        init_cfg=dict(
            type='Normal',
            override=dict(type='Normal', name='conv_seg', std=0.2, bias_prob=0.01),
        ),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole', size_divisor=16),
)
# For "mim test ... --tta", with the dataset's tta_pipeline.
tta_model = dict(type='mmmed.MedSegTTAModel')
