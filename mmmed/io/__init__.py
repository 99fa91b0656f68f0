"""Files to arrays and back: the only room that knows formats and x-y-z order."""

from .base import VOLUME_SUFFIXES as VOLUME_SUFFIXES
from .base import find_suffix as find_suffix
from .base import read_volume as read_volume
from .base import write_volume as write_volume
from .png import encode_image as encode_image
from .png import read_image as read_image
from .png import read_label as read_label
from .png import write_image as write_image
from .png import write_label as write_label
