"""Generated data with known truth, so that everything runs without a download."""

from .abdomen_ct import AbdomenPhantom as AbdomenPhantom
from .abdomen_ct import make_abdomen as make_abdomen
from .abdomen_ct import make_abdomen_cohort as make_abdomen_cohort
from .abdomen_raw import write_abdomen_raw as write_abdomen_raw
from .atlas_raw import write_atlas_phantom as write_atlas_phantom
from .ct_ich_raw import write_jpeg_release as write_jpeg_release
from .ct_ich_raw import write_nifti_release as write_nifti_release
from .head_ct import HeadPhantom as HeadPhantom
from .head_ct import make_cohort as make_cohort
from .head_ct import make_head as make_head
from .lesion_raw import LesionPhantom as LesionPhantom
from .lesion_raw import make_lesion_cohort as make_lesion_cohort
from .lesion_raw import write_lesion_raw as write_lesion_raw
from .spine_raw import SpinePhantom as SpinePhantom
from .spine_raw import make_spine_cohort as make_spine_cohort
from .spine_raw import write_spine_raw as write_spine_raw
