"""The primitive recipe with one channel per class (softmax) instead of one (sigmoid).

Command: mim train mmseg configs/unet/<this file>
"""

_base_ = './unet-s5-c32_fcn_1xb16-dicece-sgd-20k_cranium-512x512.py'
model = dict(decode_head=dict(out_channels=2))
