"""Heads that turn feature maps into logits."""

from .med_fcn_head import MedFCNHead as MedFCNHead
from .med_logit_head import MedLogitHead as MedLogitHead
from .volume_head import VolumeHead as VolumeHead
