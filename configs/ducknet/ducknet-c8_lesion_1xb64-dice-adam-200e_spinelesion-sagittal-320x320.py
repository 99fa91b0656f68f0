"""DUCK-Net for lesions, three halvings and 8 features.

Source: Dumitru et al. 2023, doi:10.1038/s41598-023-36940-5; sizes of
davidcahyadi/auto-spinal-cord-lesion-seg. Differs: one sigmoid, in the loss alone.
Command: mim train mmseg configs/ducknet/<this file>
"""

_base_ = [
    '../_base_/models/duck_net.py',
    '../_base_/datasets/spine_lesions.py',
    '../_base_/schedules/adam_cosine.py',
    '../_base_/spine_runtime.py',
]

model = dict(
    decode_head=dict(
        loss_decode=dict(_delete_=True, type='mmmed.SoftDiceLoss', smooth=1.0)
    )
)
default_hooks = dict(checkpoint=dict(save_best='overlap/dice_patient_lesion'))
