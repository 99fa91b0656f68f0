"""From collated samples to a batch on the training device."""

from .volume_data_preprocessor import VolumeDataPreprocessor as VolumeDataPreprocessor
