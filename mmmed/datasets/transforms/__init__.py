"""Transforms of the pipeline: random only through ``results['rng']``."""

from .cropping import RandomCropSlice as RandomCropSlice
from .formatting import PackMedInputs as PackMedInputs
from .intensity import RandomIntensity as RandomIntensity
from .loading import LoadSlice as LoadSlice
from .spatial import RandomAffineSlice as RandomAffineSlice
from .spatial import RandomFlipSlice as RandomFlipSlice
from .volume_slice import LoadVolumeSlice as LoadVolumeSlice
