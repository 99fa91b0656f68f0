"""Lesions with attention gates. 1,964,911 parameters.

Command: mim train mmseg configs/spinalunet/<this file>
    --cfg-options load_from=PRETRAINED.pth
"""

_base_ = './spinalunet-c16_lesion_1xb64-dice-adam-200e_spinelesion-sagittal-320x320.py'

model = dict(backbone=dict(attention=True))
