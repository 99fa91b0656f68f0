"""U-Net for hemorrhage in head CT slices, the primitive recipe.

Source: network and schedule as cited in the base files; no published protocol is
reproduced. The data set's authors report Dice 0.31 for their U-Net (5-fold
cross-validation, 82 CTs, arXiv:1910.08643).
Command: mim train mmseg configs/unet/<this file>
Expected: not measured on the full data set yet; see projects/cranium_hemorrhage.
"""

_base_ = [
    '../_base_/models/unet2d.py',
    '../_base_/datasets/cranium.py',
    '../_base_/schedules/sgd_iters.py',
    '../_base_/default_runtime.py',
]
