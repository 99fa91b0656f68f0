"""Networks and losses that a config can name with the prefix ``mmmed.``."""

from . import classifiers as classifiers
from . import cls_heads as cls_heads
from . import data_preprocessors as data_preprocessors
from . import decode_heads as decode_heads
from . import losses as losses
from . import networks as networks
from . import segmentors as segmentors
