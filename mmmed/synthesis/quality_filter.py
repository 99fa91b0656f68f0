"""Take lesions that a trained network does not find out of a label map.

Not here: the network (``mmmed.engine``), shares of lesions (``quality``).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from mmmed.functional.components import label_components
from mmmed.synthesis.quality import measure_found

TUMOR, IGNORED = 2, 255
SCOPES = ('lesion', 'sample')


class FilteredLabels(NamedTuple):
    """What is left of the lesions of one sample.

    Attributes:
        seg: The label map; a new one where something was taken out.
        asked: Lesions that were asked for.
        kept: Lesions that stay.
    """

    seg: Tensor
    asked: int
    kept: int


def filter_lesions(
    seg: Tensor,
    prob: Tensor,
    *,
    threshold: float = 0.5,
    least_share: float = 0.5,
    scope: str = 'lesion',
    label: int = TUMOR,
    ignore_index: int = IGNORED,
) -> FilteredLabels:
    """Label map in which lesions that are not found are ignored.

    The image keeps its lesion, so its voxels can be neither: they count as nothing.
    What is one lesion: voxels that touch, also at a corner.

    Args:
        seg: Labels, shape (Z, Y, X), integers.
        prob: Probability of lesion, likewise, in [0, 1].
        threshold: See :func:`mmmed.synthesis.measure_found`.
        least_share: Share of a lesion's voxels that has to be found, in [0, 1].
        scope: ``'lesion'``: each lesion is judged, and ignored where it is not found.
            ``'sample'`` (published): all lesions of the sample are judged as one, and
            the whole sample is ignored.
        label: Of lesions.
        ignore_index: What ignored voxels become.

    Returns:
        Without lesions, the label map as it is.

    Raises:
        ValueError: Unknown scope, shapes differ, or ``prob`` holds logits.

    Source:
        Keep a lesion of which half is found: FreeTumor (Wu et al. 2024,
        arXiv:2406.01264) and MedCraft. Differs: probabilities, single lesions.
    """
    if scope not in SCOPES:
        raise ValueError(f'scope is {scope!r}, expected one of {", ".join(SCOPES)}')
    is_lesion = seg == label
    if scope == 'sample':
        numbers, count = is_lesion.to(torch.int64), int(is_lesion.any())
    else:
        labelled, count = label_components(is_lesion.cpu().numpy(), connectivity=26)
        numbers = torch.from_numpy(labelled).to(seg.device, torch.int64)
    found = measure_found(prob, numbers, threshold=threshold) >= least_share
    kept = int(found.sum())
    if kept == count:
        return FilteredLabels(seg, count, kept)
    if scope == 'sample':
        return FilteredLabels(torch.full_like(seg, ignore_index), count, kept)
    # By number, with the background (0) never rejected.
    is_rejected = torch.cat([found.new_zeros(1), ~found])
    seg = seg.masked_fill(is_rejected[numbers], ignore_index)
    return FilteredLabels(seg, count, kept)
