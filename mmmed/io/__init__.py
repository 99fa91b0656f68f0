"""Files to arrays and back: the only room that knows formats and x-y-z order."""

from .base import VOLUME_SUFFIXES as VOLUME_SUFFIXES
from .base import find_suffix as find_suffix
from .base import read_volume as read_volume
from .base import write_volume as write_volume
from .chunked import ChunkedArray as ChunkedArray
from .chunked import open_chunked as open_chunked
from .chunked import write_chunked as write_chunked
from .dicom import read_series as read_series
from .dicom_files import DicomSeries as DicomSeries
from .dicom_files import list_series as list_series
from .dicom_seg import Segment as Segment
from .dicom_seg import read_segmentation as read_segmentation
from .dicom_seg_writing import write_segmentation as write_segmentation
from .dicom_writing import write_series as write_series
from .png import encode_image as encode_image
from .png import read_image as read_image
from .png import read_label as read_label
from .png import write_image as write_image
from .png import write_label as write_label
