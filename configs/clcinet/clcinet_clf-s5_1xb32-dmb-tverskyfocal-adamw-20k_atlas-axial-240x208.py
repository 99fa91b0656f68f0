"""CLCI-Net for stroke lesions in axial slices of ATLAS, the primitive recipe.

Source: Yang et al. 2019, arXiv:1907.07008, as a rival of RAX-Net under one budget.
Differs: loss, optimizer, batches and augmentation are those of all rivals.
Command: mim train mmseg configs/clcinet/<this file>
Expected: not measured on ATLAS yet; see projects/stroke_atlas.
"""

_base_ = [
    '../_base_/models/clcinet.py',
    '../_base_/datasets/atlas_slices.py',
    '../_base_/schedules/adamw_iters.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(batch_size=32)
default_hooks = dict(checkpoint=dict(save_best='overlap/dice_patient_lesion'))
