"""Residual 3-D U-Net of MONAI, softmax over three classes, Dice + cross-entropy.

4,807,482 parameters. Source: Kerfoot et al. 2019, doi:10.1007/978-3-030-12029-0_40;
the network of the liver tumor recipes. Differs: None.

On a GPU: --cfg-options model.channels_last=True model.compile=True, and
optim_wrapper.type=AmpOptimWrapper optim_wrapper.dtype=bfloat16.
"""

crop_size = (96, 96, 96)
model = dict(
    type='mmmed.VolumeSegmentor',
    data_preprocessor=dict(type='mmmed.VolumeDataPreprocessor', pad_val=0.0),
    network=dict(
        type='mmmed.MonaiUNet',
        in_channels=1,
        out_channels=3,
        channels=(16, 32, 64, 128, 256),
        strides=(2, 2, 2, 2),
        num_res_units=2,
    ),
    decode_head=dict(
        type='mmmed.VolumeHead',
        num_classes=3,
        out_channels=3,
        ignore_index=255,
        # Over the batch: a patch without a class says nothing about it.
        loss_decode=dict(type='mmmed.DiceCELoss', batch_dice=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(
        mode='slide',
        crop_size=crop_size,
        stride=tuple(n // 2 for n in crop_size),
        window_weight='gaussian',
        window_batch=2,
    ),
    channels_last=False,
    compile=False,
    activation_checkpointing=False,
)
