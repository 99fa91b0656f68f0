"""Swin UNETR of MONAI, softmax over three classes, Dice + cross-entropy.

Source: Hatamizadeh et al. 2022, arXiv:2201.01266, the first version. Differs: None.

On a GPU that is short of memory: --cfg-options model.activation_checkpointing=True;
optim_wrapper.type=AmpOptimWrapper optim_wrapper.dtype=bfloat16.
"""

_base_ = './unet3d.py'

model = dict(
    network=dict(
        _delete_=True,
        type='mmmed.MonaiSwinUNETR',
        in_channels=1,
        out_channels=3,
        # 12: tiny, 4,078,269; 24: small, 15,703,413; 48: base, 62,187,525 parameters.
        feature_size=48,
    )
)
