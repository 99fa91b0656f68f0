"""Synthetic lesions on healthy cords: what lesion networks are trained on first.

Source: experiments of davidcahyadi/auto-spinal-cord-lesion-seg (s4, recipe E).
Differs: lesions in 3-D and mm, some cords stay without, and every validation case keeps
its lesions (mmmed.SynthesizeCordLesions).
Command: mim train mmseg configs/spinalunet/<this file>
"""

_base_ = [
    '../_base_/models/spinal_unet.py',
    '../_base_/datasets/spine_synthetic.py',
    '../_base_/schedules/adam_cosine.py',
    '../_base_/spine_runtime.py',
]

model = dict(
    decode_head=dict(
        loss_decode=dict(_delete_=True, type='mmmed.SoftDiceLoss', smooth=1.0)
    )
)
default_hooks = dict(checkpoint=dict(save_best='overlap/dice_patient_lesion'))
