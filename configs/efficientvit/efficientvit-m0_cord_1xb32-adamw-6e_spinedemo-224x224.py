"""The demo's gate of the cord.

Command: make demo-spine, or mim train mmseg configs/efficientvit/<this file>
"""

_base_ = './efficientvit-m0_anatomy_1xb32-adamw-12e_spinedemo-224x224.py'

model = dict(head=dict(targets=dict(_delete_=True, cord=2)))
train_dataloader = dict(sampler=dict(target='cord'))
train_cfg = dict(max_epochs=6)
