"""Plain data that crosses rooms; not here: file formats, array maths, training."""

from .manifest import Case as Case
from .manifest import Manifest as Manifest
from .roi_case import ROICase as ROICase
from .roi_case import ROIGrid as ROIGrid
from .split_manifest import SplitManifest as SplitManifest
from .volume import Volume as Volume
from .volume import VolumeSource as VolumeSource
from .volume_case import VolumeCase as VolumeCase
