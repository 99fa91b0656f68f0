"""Heads that turn feature maps into logits."""

from .med_fcn_head import MedFCNHead as MedFCNHead
