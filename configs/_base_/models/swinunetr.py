"""Swin UNETR of MONAI, softmax over three classes, Dice + cross-entropy.

Source: Hatamizadeh et al. 2022, arXiv:2201.01266, the first version. Differs: None.

On a GPU that is short of memory: --cfg-options model.activation_checkpointing=True;
optim_wrapper.type=AmpOptimWrapper optim_wrapper.dtype=bfloat16.
"""

crop_size = (96, 96, 96)
model = dict(
    type='mmmed.VolumeSegmentor',
    data_preprocessor=dict(type='mmmed.VolumeDataPreprocessor', pad_val=0.0),
    network=dict(
        type='mmmed.MonaiSwinUNETR',
        in_channels=1,
        out_channels=3,
        # 12: tiny, 4,078,269; 24: small, 15,703,413; 48: base, 62,187,525 parameters.
        feature_size=48,
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
