"""CraniumDataset: head CT with intracranial hemorrhage."""

from mmmed.datasets.base_med_dataset import MedSegDataset
from mmmed.registry import DATASETS


@DATASETS.register_module()
class CraniumDataset(MedSegDataset):
    """Intracranial hemorrhage in head CT: axial slices, binary label.

    82 patients with traumatic brain injury, 2501 axial slices of 650 x 650 pixels,
    318 of them with hemorrhage, which covers 0.07 % of all pixels. Label ids:
    0 background, 1 hemorrhage of any kind; subtypes and fracture are columns of the
    release's table and stand in the manifest.

    Source: Hssayeni M. D., Croock M. S., Salman A. D., Al-khafaji H. F., Yahya Z. A.,
    Ghoraani B. Intracranial Hemorrhage Segmentation Using a Deep Convolutional Model.
    Data 5(1):14, 2020, https://www.mdpi.com/2306-5729/5/1/14. Release: PhysioNet
    "ct-ich" 1.0.0, https://doi.org/10.13026/w8q8-ky94; the same files on Kaggle as
    vbookshelf/computed-tomography-ct-images. Licence: CC BY 4.0.

    Known defects:
        - Masks are JPEG, so their values are not only 0 and 255; the preparer takes
          what is above 127.
        - Images are windowed to 8 bits and carry no pixel size (``spacing`` is None).
        - Neighbouring slices are near copies of each other: only splits by patient
          measure anything.
        - The mIoU/mDice table that circulates for this data set is that of another
          one. Its authors report Dice 0.31 (U-Net, 5-fold cross-validation).

    Args:
        **kwargs: Those of :class:`~mmmed.datasets.base_med_dataset.MedSegDataset`.
    """

    METAINFO = {  # noqa: RUF012  (the host's contract for a class attribute)
        'dataset': 'cranium',
        'classes': ['background', 'hemorrhage'],
        'palette': [[0, 0, 0], [213, 94, 0]],
    }
