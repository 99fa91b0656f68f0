"""Networks that answer questions about a lesion: images in, feature vectors out.

``backbone`` classes read one image stack, ``fusion`` and ``correlation_routing`` any
number of sequences. Not here: heads (``models/cls_heads``).
"""

from .correlation_routing import CorrelationRoutingNetwork as CorrelationRoutingNetwork
from .fusion import EarlyFusionEncoder as EarlyFusionEncoder
from .fusion import PerSequenceEncoder as PerSequenceEncoder
from .monai_encoders import MonaiDenseNetEncoder as MonaiDenseNetEncoder
from .monai_encoders import MonaiEfficientNetEncoder as MonaiEfficientNetEncoder
from .monai_encoders import MonaiResNetEncoder as MonaiResNetEncoder
from .roi_densenet import ROIDenseNet as ROIDenseNet
from .roi_resnet import ROIResNet as ROIResNet
from .roi_shufflenet import ROIShuffleNetV2 as ROIShuffleNetV2
from .roi_vgg import ROIVGG as ROIVGG
from .timm_slices import TimmSliceEncoder as TimmSliceEncoder
from .uniformer import UniFormerEncoder as UniFormerEncoder
