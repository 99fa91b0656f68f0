"""Adam with cosine decay to zero, counted in epochs: the schedule of cord segmentors.

Source: the experiments of davidcahyadi/auto-spinal-cord-lesion-seg (rate 1e-3, 200
epochs of 64 slices). Differs: the rate falls at every iteration.
"""

_base_ = './adamw_cosine.py'

optim_wrapper = dict(optimizer=dict(_delete_=True, type='Adam', lr=0.001))
train_cfg = dict(max_epochs=200, val_interval=5)
auto_scale_lr = dict(base_batch_size=64)
