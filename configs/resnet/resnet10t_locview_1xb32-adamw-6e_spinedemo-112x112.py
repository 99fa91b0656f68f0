"""The demo's gate of the location and view.

Command: make demo-spine, or mim train mmseg configs/resnet/<this file>
"""

_base_ = './resnet10t_anatomy_1xb32-adamw-12e_spinedemo-112x112.py'

model = dict(head=dict(targets=dict(_delete_=True, location_view=10)))
# Planes that spines are acquired in: in so few images coronal slices resemble sagittal.
planes = ('axial', 'sagittal')
train_dataloader = dict(
    sampler=dict(target='location_view'), dataset=dict(planes=planes)
)
test_dataloader = dict(dataset=dict(planes=planes))
train_cfg = dict(max_epochs=6)
