"""Networks and losses that a config can name with the prefix ``mmmed.``."""

from . import data_preprocessors as data_preprocessors
from . import decode_heads as decode_heads
from . import losses as losses
from . import networks as networks
from . import segmentors as segmentors
