"""AtlasDataset: chronic stroke lesions on T1-weighted MRI."""

from mmmed.datasets.volume_slice_dataset import VolumeSliceDataset
from mmmed.registry import DATASETS


@DATASETS.register_module()
class AtlasDataset(VolumeSliceDataset):
    """Anatomical Tracings of Lesions After Stroke (ATLAS) v2.0: T1w, binary label.

    955 public subjects, 655 of them (33 sites) with a lesion mask, traced by hand;
    197 x 233 x 189 voxels of 1 mm in the space of MNI152NLin2009aSym. All 655 have a
    lesion: median 5290, from 13 to 496 656 voxels; 27 % of axial, 22 % of coronal
    and 18 % of sagittal slices show one. Label ids: 0 background, 1 lesion.

    Source: Liew S.-L., Lo B. P., Donnelly M. R. et al. A large, curated, open-source
    stroke neuroimaging dataset to improve lesion segmentation algorithms. Scientific
    Data 9:320, 2022, https://doi.org/10.1038/s41597-022-01401-7. Access on request
    (INDI/NITRC, ICPSR 36684), encrypted archive; never passed on with this package.

    Known defects:
        - Intensities differ from site to site and are in no unit; the preparer maps
          each volume robustly to 8 or 16 bits.
        - Most lesions are small: a fifth of the subjects have less than 1 ml, where a
          few voxels decide the Dice. Two raters agree to 0.73, one with himself 0.84.
        - Of a prepared phantom the manifest says ``semi_synthetic``.

    Args:
        **kwargs: Those of
            :class:`~mmmed.datasets.volume_slice_dataset.VolumeSliceDataset`.
    """

    METAINFO = {  # noqa: RUF012  (the host's contract for a class attribute)
        'dataset': 'atlas',
        'classes': ['background', 'lesion'],
        'palette': [[0, 0, 0], [213, 94, 0]],
    }
