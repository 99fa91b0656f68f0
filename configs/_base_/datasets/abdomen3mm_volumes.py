"""CT of the liver on 3 mm voxels: the generated abdomens, or one scan of your own.

Made by tools/make_phantom.py abdomen and tools/prepare_dataset.py liver --folds 4
--folds-on train, see projects/liver_tumor_synthesis. Three parts of the patients that
never meet: all folds but one train, that one (``fold=k``, ``split='val'``) chooses the
checkpoint, and the hold-out side, which has no fold, is reported.
"""

_base_ = './liver_volumes.py'

data_root = 'data/abdomen3mm'
patch_size = (32, 64, 64)
load = dict(type='mmmed.LoadVolumePatch', size=patch_size, foreground_share=0.8)
synthesis = dict(type='mmmed.SynthesizeLesions', recipe='full', organ='liver', prob=0.9)
real_pipeline = [_base_.affine, load, *_base_.changes]
synthetic_pipeline = [_base_.affine, load, synthesis, *_base_.changes]

train_dataloader = dict(
    num_workers=1,
    dataset=dict(data_root=data_root, fold=0, folds_on='train', pipeline=real_pipeline),
)
val_dataloader = dict(
    num_workers=0, dataset=dict(data_root=data_root, fold=0, folds_on='train')
)
# Of all held-out patients: those without a tumor count false positives.
test_dataloader = dict(
    num_workers=0,
    dataset=dict(data_root=data_root, fold=None, folds_on='train', with_label=None),
)
