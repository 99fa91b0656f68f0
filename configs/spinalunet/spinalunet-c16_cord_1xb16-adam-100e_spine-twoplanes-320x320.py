"""One network for sagittal and axial slices, the cord: what the pipeline needs.

Command: mim train mmseg configs/spinalunet/<this file>
"""

_base_ = './spinalunet-c16_cord_1xb16-adam-100e_spine-sagittal-320x320.py'

planes = dict(type='mmmed.PlanesDataset', planes=('sagittal', 'axial'), plane=None)
train_dataloader = dict(dataset=planes)
val_dataloader = dict(dataset=planes)
test_dataloader = dict(dataset=planes)
