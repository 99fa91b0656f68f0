"""The U-Net of the spinal cord pipeline for lesions, the primitive recipe.

Source: experiments of davidcahyadi/auto-spinal-cord-lesion-seg (last one: 16 features,
Dice, Adam 1e-3, recipe F). Differs: square pixels in mm; trained on slices that show
the cord; the checkpoint is chosen by the Dice of volumes, not of batches.
Command: mim train mmseg configs/spinalunet/<this file>
    --cfg-options load_from=PRETRAINED.pth
where PRETRAINED.pth is of the recipe with "synth" in its name, or of the cord.
Expected: no open data set has lesions of patients; see projects/spinal_cord_lesion.
"""

_base_ = [
    '../_base_/models/spinal_unet.py',
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
