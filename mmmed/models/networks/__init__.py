"""Complete networks: images in, logits of the same size out."""

from .clcinet import CLCINet as CLCINet
from .dunet import DUNet as DUNet
from .folding import fold_batch_norm as fold_batch_norm
from .raxnet import RAXNet as RAXNet
from .xnet import XNet as XNet
