"""The foundation as the published pipeline uses it: 200 epochs in batches of 768.

Command: mim train mmseg configs/efficientvit/<this file>
"""

_base_ = './efficientvit-m5_slice_1xb200-adamw-50e_radimagenet-224x224.py'

train_dataloader = dict(batch_size=768)
train_cfg = dict(max_epochs=200)
# The published rate, 1e-3, is the same as for batches of 200.
auto_scale_lr = dict(base_batch_size=768)
