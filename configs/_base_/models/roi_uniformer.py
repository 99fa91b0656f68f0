"""UniFormer 1.4 with two stages of its own for every sequence.

Source: Li et al. 2022, arXiv:2201.04676; widths of RRMediCa@4ad848b. Differs: None.
652,330 parameters with two sequences and one binary target.

Sequences as the third axis: model.network.fusion=aux model.network.slices=6.
"""

_base_ = './roi_classifier.py'

model = dict(
    network=dict(
        type='mmmed.UniFormerEncoder',
        sequences=[],
        variant='1.4',
        fusion='middle',
        channels=1,
        slices=None,
        missing='zero',
    )
)
