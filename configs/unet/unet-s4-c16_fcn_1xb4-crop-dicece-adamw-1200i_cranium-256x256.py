"""A small U-Net that a CPU trains in minutes: the recipe of "make demo".

It sees windows of 128 x 128, half of them around a lesion, and slides over test images.

Command: mim train mmseg configs/unet/<this file>
"""

_base_ = './unet-s5-c32_fcn_1xb16-dicece-sgd-20k_cranium-512x512.py'

crop_size = (128, 128)
model = dict(
    backbone=dict(
        base_channels=16,
        num_stages=4,
        strides=(1, 1, 1, 1),
        enc_num_convs=(2, 2, 2, 2),
        dec_num_convs=(2, 2, 2),
        downsamples=(True, True, True),
        enc_dilations=(1, 1, 1, 1),
        dec_dilations=(1, 1, 1),
    ),
    decode_head=dict(in_channels=16, channels=16, in_index=3),
    test_cfg=dict(_delete_=True, mode='slide', crop_size=crop_size, stride=(64, 64)),
)

image_size = (256, 256)
train_pipeline = [
    dict(type='mmmed.LoadSlice', size=image_size, cache_dir='auto'),
    dict(type='mmmed.RandomFlipSlice', prob=0.5, direction='horizontal'),
    dict(type='mmmed.RandomAffineSlice', angle_deg=10.0, scale=(0.9, 1.1), prob=0.5),
    dict(type='mmmed.RandomIntensity', prob=0.5),
    dict(type='mmmed.RandomCropSlice', size=crop_size, foreground_prob=0.5),
    dict(type='mmmed.PackMedInputs', label_dtype='uint8'),
]
test_pipeline = [
    dict(type='mmmed.LoadSlice', size=image_size, resize_seg=False),
    dict(type='mmmed.PackMedInputs'),
]
train_dataloader = dict(batch_size=4, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

max_iters = 1200
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=0.002, weight_decay=0.01)
)
param_scheduler = [
    dict(type='PolyLR', power=0.9, eta_min=0.0, begin=0, end=max_iters, by_epoch=False)
]
train_cfg = dict(max_iters=max_iters, val_interval=300)
default_hooks = dict(
    logger=dict(interval=10), checkpoint=dict(interval=100, max_keep_ckpts=1)
)
custom_hooks = []
