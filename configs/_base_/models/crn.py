"""Correlation routing network 1.1 with its signal relay, for liver lesions.

Source: Wang et al. 2025, doi:10.1016/j.media.2025.103790; RRMediCa@4ad848b. Differs:
three dimensions, missing sequences and labels. As published: model.network.dims=2
network.slices=6 network.legacy_pool=True (575,306 parameters with binary signs).

Numbers of classes of the signs are not published; a recipe sets them, and for other
data sequences, routing and targets, both with _delete_=True and in one order.

Ablations: network.attention=False; head.with_relay=False; both with
network.shared_encoder=True network.common_branch=True for plain middle fusion.
"""

_base_ = './roi_classifier.py'

# The sources of "inner" and "type" are ambiguous in the published figure: the bracket
# from t1 to delay can also be read as ['preartery', 'delay'].
bracket = ['preartery', 't2', 'lap', 'pv', 'delay']

model = dict(
    network=dict(
        type='mmmed.CorrelationRoutingNetwork',
        sequences=[
            *('preartery', 'lap', 'pv', 'delay', 'ip', 'op', 't2'),
            *('dwi_b0', 'dwi_b1', 'adc'),
        ],
        routing=dict(
            t1=['preartery'],
            t2=['t2'],
            ap=['lap'],
            pvp=['pv'],
            dp=['delay'],
            cent=['lap', 'pv', 'delay'],
            prog=['lap', 'pv', 'delay'],
            inner=bracket,
            fat=['ip', 'op'],
            dwi=['dwi_b0', 'dwi_b1'],
            adc=['adc'],
            type=bracket,
        ),
        variant='1.1',
        dims=3,
        channels=1,
        slices=None,
        attention=True,
        shared_encoder=False,
        common_branch=False,
        missing='zero',
        legacy_pool=False,
    ),
    head=dict(
        type='mmmed.SignalRelayHead',
        # HCC, ICC, metastasis, hemangioma, FNH, cyst.
        targets=dict(
            **dict(t1=2, t2=2, ap=2, pvp=2, dp=2, cent=2, prog=2, inner=2),
            **dict(fat=2, dwi=2, adc=2, type=6),
        ),
        main_target='type',
    ),
)
