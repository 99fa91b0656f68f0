"""Transforms of the pipeline: random only through ``results['rng']``."""

from .cropping import RandomCropSlice as RandomCropSlice
from .formatting import PackMedInputs as PackMedInputs
from .intensity import RandomIntensity as RandomIntensity
from .loading import LoadSlice as LoadSlice
from .mr_artifacts import RandomMRArtifact as RandomMRArtifact
from .roi_dropout import SequenceDropout as SequenceDropout
from .roi_legacy import LegacyROIAugment as LegacyROIAugment
from .roi_loading import AddROIBox as AddROIBox
from .roi_loading import LoadROISequences as LoadROISequences
from .roi_loading import SelectROISlices as SelectROISlices
from .roi_packing import PackROISequences as PackROISequences
from .roi_sequences import EachSequence as EachSequence
from .roi_sequences import JointSequences as JointSequences
from .spatial import RandomAffineSlice as RandomAffineSlice
from .spatial import RandomFlipSlice as RandomFlipSlice
from .synthesize_lesions import SynthesizeLesions as SynthesizeLesions
from .volume_intensity import RandomIntensityVolume as RandomIntensityVolume
from .volume_loading import LoadVolume as LoadVolume
from .volume_loading import LoadVolumePatch as LoadVolumePatch
from .volume_packing import PackMedVolumes as PackMedVolumes
from .volume_scale import NormalizeVolume as NormalizeVolume
from .volume_scale import WindowVolume as WindowVolume
from .volume_slice import LoadVolumeSlice as LoadVolumeSlice
from .volume_spatial import RandomAffineVolume as RandomAffineVolume
from .volume_spatial import RandomFlipVolume as RandomFlipVolume
from .volume_spatial import WarpVolume as WarpVolume
