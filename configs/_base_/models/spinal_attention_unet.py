"""U-Net of the spinal cord pipeline with attention gates: 1,964,911 parameters.

Source: Oktay et al. 2018, arXiv:1804.03999. Differs: a gate works at the resolution of
its skip connection, on the maps that came up to it.
"""

_base_ = './spinal_unet.py'

model = dict(backbone=dict(attention=True))
