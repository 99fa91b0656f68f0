"""Synthetic lesions with attention gates, what the recipe without "synth" starts from.

Source: experiments of davidcahyadi/auto-spinal-cord-lesion-seg (s9, 100 epochs; recipe
F there, E here).
Command: mim train mmseg configs/spinalunet/<this file>
"""

_base_ = (
    './spinalunet-c16_lesion_1xb64-synth-dice-adam-200e_spinelesion-sagittal-320x320.py'
)

model = dict(backbone=dict(attention=True))
train_cfg = dict(max_epochs=100)
