"""Complete networks: images in, logits of the same size out."""

from .clcinet import CLCINet as CLCINet
from .dunet import DUNet as DUNet
from .folding import fold_for_inference as fold_for_inference
from .raxnet import RAXNet as RAXNet
from .winograd import use_winograd as use_winograd
from .xnet import XNet as XNet
