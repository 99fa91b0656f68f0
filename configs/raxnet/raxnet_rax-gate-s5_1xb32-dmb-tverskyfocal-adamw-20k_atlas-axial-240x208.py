"""The primitive recipe with a true attention gate in place of the additive one.

Command: mim train mmseg configs/raxnet/<this file>
"""

_base_ = './raxnet_rax-s5_1xb32-dmb-tverskyfocal-adamw-20k_atlas-axial-240x208.py'
model = dict(backbone=dict(rau_gate='sigmoid'))
