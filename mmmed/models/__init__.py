"""Networks and losses that a config can name with the prefix ``mmmed.``."""

from . import losses as losses
