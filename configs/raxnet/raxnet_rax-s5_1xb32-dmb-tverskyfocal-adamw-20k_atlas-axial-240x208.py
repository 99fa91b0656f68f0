"""RAX-Net for stroke lesions in axial slices of ATLAS, the primitive recipe.

Source: Mousavi et al. 2025, medRxiv 10.1101/2025.09.26.25336733; batches, loss and
optimizer of its code (500 epochs there, best after 6 to 60; about 23 here).
Differs: subjects never cross folds, strata keep their rarest bin, augmentation,
volume-level intensities, polynomial decay, validation on all slices.
Command: mim train mmseg configs/raxnet/<this file>
Expected: not measured on ATLAS yet; see projects/stroke_atlas.
"""

_base_ = [
    '../_base_/models/raxnet.py',
    '../_base_/datasets/atlas_slices.py',
    '../_base_/schedules/adamw_iters.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(batch_size=32)
default_hooks = dict(checkpoint=dict(save_best='overlap/dice_patient_lesion'))
