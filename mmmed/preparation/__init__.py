"""Raw download to prepared folder: offline, re-runnable, no training code."""

from .atlas import AtlasPreparer as AtlasPreparer
from .base import BasePreparer as BasePreparer
from .base import Outcome as Outcome
from .cranium import CraniumPreparer as CraniumPreparer
from .decathlon import DecathlonPreparer as DecathlonPreparer
from .dicom_to_nifti import DicomConverter as DicomConverter
from .findings import Finding as Finding
from .findings import InputError as InputError
from .lesion_rois import LesionROIPreparer as LesionROIPreparer
from .liver import LiverPreparer as LiverPreparer
from .picture_classes import PictureClassPreparer as PictureClassPreparer
from .spine import SpinePreparer as SpinePreparer
from .spine_slices import SpineSlicePreparer as SpineSlicePreparer
