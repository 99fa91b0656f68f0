"""Prepared data for training: datasets, samplers and transforms.

Not here: preparing the data (``mmmed.preparation``) and models.
"""

from .atlas import AtlasDataset as AtlasDataset
from .base_med_dataset import MedSegDataset as MedSegDataset
from .cranium import CraniumDataset as CraniumDataset
from .draw import Draw as Draw
from .mixed_dataset import MixedDataset as MixedDataset
from .picture_classes import PictureClassDataset as PictureClassDataset
from .planes_dataset import PlanesDataset as PlanesDataset
from .roi_dataset import MultiSequenceROIDataset as MultiSequenceROIDataset
from .samplers import DistributionBatchSampler as DistributionBatchSampler
from .samplers import ForegroundSampler as ForegroundSampler
from .samplers import WeightedClassSampler as WeightedClassSampler
from .spine import SpineDataset as SpineDataset
from .transforms import AddROIBox as AddROIBox
from .transforms import EachSequence as EachSequence
from .transforms import JointSequences as JointSequences
from .transforms import LegacyROIAugment as LegacyROIAugment
from .transforms import LoadROISequences as LoadROISequences
from .transforms import LoadSlice as LoadSlice
from .transforms import LoadVolume as LoadVolume
from .transforms import LoadVolumePatch as LoadVolumePatch
from .transforms import LoadVolumeSlice as LoadVolumeSlice
from .transforms import NormalizeVolume as NormalizeVolume
from .transforms import PackMedInputs as PackMedInputs
from .transforms import PackMedVolumes as PackMedVolumes
from .transforms import PackROISequences as PackROISequences
from .transforms import RandomAffineSlice as RandomAffineSlice
from .transforms import RandomAffineVolume as RandomAffineVolume
from .transforms import RandomCropSlice as RandomCropSlice
from .transforms import RandomCropVolume as RandomCropVolume
from .transforms import RandomFlipSlice as RandomFlipSlice
from .transforms import RandomFlipVolume as RandomFlipVolume
from .transforms import RandomIntensity as RandomIntensity
from .transforms import RandomIntensityVolume as RandomIntensityVolume
from .transforms import RandomMRArtifact as RandomMRArtifact
from .transforms import SelectROISlices as SelectROISlices
from .transforms import SequenceDropout as SequenceDropout
from .transforms import WarpVolume as WarpVolume
from .transforms import WindowVolume as WindowVolume
from .volume_dataset import VolumeDataset as VolumeDataset
from .volume_slice_dataset import VolumeSliceDataset as VolumeSliceDataset
