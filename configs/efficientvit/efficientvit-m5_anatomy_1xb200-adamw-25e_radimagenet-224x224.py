"""EfficientViT-M5 tells spine, head, abdomen or other body parts on RadImageNet.

Its folders become the four classes with ``tools/prepare_dataset.py picture-classes RAW
--out data/radimagenet_anatomy --target anatomy --join TABLE``.
Command: mim train mmseg configs/efficientvit/<this file>
"""

_base_ = './efficientvit-m5_slice_1xb200-adamw-50e_radimagenet-224x224.py'

data_root = 'data/radimagenet_anatomy'
model = dict(head=dict(targets=dict(_delete_=True, anatomy=4)))
train_dataloader = dict(
    sampler=dict(
        _delete_=True,
        type='mmmed.WeightedClassSampler',
        target='anatomy',
        epoch_length='dataset',
    ),
    dataset=dict(data_root=data_root),
)
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = dict(dataset=dict(data_root=data_root))
train_cfg = dict(max_epochs=25)
