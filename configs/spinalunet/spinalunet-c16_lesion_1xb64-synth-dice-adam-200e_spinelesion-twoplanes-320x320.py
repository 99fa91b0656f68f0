"""One network for sagittal and axial slices, synthetic lesions first.

Command: mim train mmseg configs/spinalunet/<this file>
"""

_base_ = (
    './spinalunet-c16_lesion_1xb64-synth-dice-adam-200e_spinelesion-sagittal-320x320.py'
)

planes = dict(type='mmmed.PlanesDataset', planes=('sagittal', 'axial'), plane=None)
train_dataloader = dict(dataset=planes)
val_dataloader = dict(dataset=planes)
test_dataloader = dict(dataset=planes)
