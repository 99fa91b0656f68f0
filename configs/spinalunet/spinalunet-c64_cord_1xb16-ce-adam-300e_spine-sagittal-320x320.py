"""The cord as published: 64 features, cross-entropy, 300 epochs. 31,036,491 parameters.

Command: mim train mmseg configs/spinalunet/<this file>
"""

_base_ = './spinalunet-c16_cord_1xb16-adam-100e_spine-sagittal-320x320.py'

model = dict(
    backbone=dict(features=64),
    decode_head=dict(
        loss_decode=dict(
            _delete_=True, type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1.0
        )
    ),
)
train_cfg = dict(max_epochs=300)
