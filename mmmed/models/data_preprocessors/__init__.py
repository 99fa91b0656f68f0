"""From collated samples to a batch on the training device."""

from .roi_data_preprocessor import ROIDataPreprocessor as ROIDataPreprocessor
from .volume_data_preprocessor import VolumeDataPreprocessor as VolumeDataPreprocessor
