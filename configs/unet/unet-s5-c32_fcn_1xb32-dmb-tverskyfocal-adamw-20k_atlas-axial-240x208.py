"""The host's U-Net for stroke lesions in axial slices of ATLAS.

Source: network as cited in the base file, as a rival of RAX-Net under one budget.
Command: mim train mmseg configs/unet/<this file>
Expected: not measured on ATLAS yet; see projects/stroke_atlas.
"""

_base_ = [
    '../_base_/models/unet2d.py',
    '../_base_/datasets/atlas_slices.py',
    '../_base_/schedules/adamw_iters.py',
    '../_base_/default_runtime.py',
]

model = dict(
    decode_head=dict(
        loss_decode=dict(_delete_=True, type='mmmed.TverskyFocalLoss', batch_dice=True)
    )
)
train_dataloader = dict(batch_size=32)
default_hooks = dict(checkpoint=dict(save_best='overlap/dice_patient_lesion'))
