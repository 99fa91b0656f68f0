"""Complete networks: images in, logits of the same size out.

Those of ``classification`` give feature vectors instead.
"""

from . import classification as classification
from .clcinet import CLCINet as CLCINet
from .duck_net import DUCKNet as DUCKNet
from .dunet import DUNet as DUNet
from .folding import fold_for_inference as fold_for_inference
from .monai_networks import MonaiDynUNet as MonaiDynUNet
from .monai_networks import MonaiSegResNet as MonaiSegResNet
from .monai_networks import MonaiSwinUNETR as MonaiSwinUNETR
from .monai_networks import MonaiUNet as MonaiUNet
from .raxnet import RAXNet as RAXNet
from .spinal_unet import SpinalUNet as SpinalUNet
from .winograd import use_winograd as use_winograd
from .xnet import XNet as XNet
