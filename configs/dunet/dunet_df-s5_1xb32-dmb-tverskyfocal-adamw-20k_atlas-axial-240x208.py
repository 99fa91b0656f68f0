"""D-UNet for stroke lesions in axial slices of ATLAS, the primitive recipe.

Source: Zhou et al. 2021, doi:10.1109/TCBB.2019.2939522, as a rival of RAX-Net under
one budget.
Differs: loss, optimizer, batches and augmentation are those of all rivals.
Command: mim train mmseg configs/dunet/<this file>
Expected: not measured on ATLAS yet; see projects/stroke_atlas.
"""

_base_ = [
    '../_base_/models/dunet.py',
    '../_base_/datasets/atlas_slices.py',
    '../_base_/schedules/adamw_iters.py',
    '../_base_/default_runtime.py',
]

neighbors = (-2, -1, 0, 1)
train_dataloader = dict(batch_size=32, dataset=dict(neighbors=neighbors))
val_dataloader = dict(dataset=dict(neighbors=neighbors))
test_dataloader = dict(dataset=dict(neighbors=neighbors))
default_hooks = dict(checkpoint=dict(save_best='overlap/dice_patient_lesion'))
