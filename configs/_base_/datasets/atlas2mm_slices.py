"""The generated cohort on 2 mm voxels, for comparisons on a CPU.

Made by tools/make_atlas_phantom.py RAW --spacing-mm 2 and tools/prepare_dataset.py
atlas RAW --out data/atlas_2mm; semi-synthetic, and its manifest says so.
"""

_base_ = './atlas_slices.py'

data_root = 'data/atlas_2mm'
train_dataloader = dict(batch_size=16, dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = dict(dataset=dict(data_root=data_root))
