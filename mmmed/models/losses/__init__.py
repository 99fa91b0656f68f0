"""Segmentation losses: N-D, one call, one or K channels."""

from .compound import DiceCELoss as DiceCELoss
from .compound import EnhancedMixingLoss as EnhancedMixingLoss
from .compound import TverskyFocalLoss as TverskyFocalLoss
from .dice import SoftDiceLoss as SoftDiceLoss
from .focal import PixelFocalLoss as PixelFocalLoss
from .tversky import FocalTverskyLoss as FocalTverskyLoss
from .tversky import SoftTverskyLoss as SoftTverskyLoss
