"""What metrics read from the data samples of MMEngine's loops.

Not here: what they make of it (``case_metric``).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray


def read_identity(sample: Mapping[str, Any]) -> tuple[str, str]:
    """Case and patient.

    Raises:
        ValueError: The sample names one of them not.
    """
    missing = [key for key in ('case_id', 'patient_id') if sample.get(key) is None]
    if missing:
        raise ValueError(
            f'data sample of {sample.get("img_path", "unknown image")} has no '
            f'{" and no ".join(missing)}; pack with mmmed.PackMedInputs, or name the '
            'keys in meta_keys of the packing transform'
        )
    return str(sample['case_id']), str(sample['patient_id'])


def read_labels(
    sample: Mapping[str, Any], key: str, spacing: Sequence[float] | None
) -> NDArray[Any]:
    """Label map (*space) of (*space) or (1, *space), as an array.

    The spacing tells a slice with a channel from a volume of one slice.
    """
    labels = sample[key]['data'].detach().cpu().numpy()
    is_volume = spacing is not None and labels.ndim == len(spacing)
    has_channel = labels.ndim > 2 and labels.shape[0] == 1 and not is_volume
    return labels[0] if has_channel else labels


def read_spacing(sample: Mapping[str, Any]) -> list[float] | None:
    """Length of a pixel along each axis in mm; ``None`` where it is not known."""
    spacing = sample.get('spacing')
    return None if spacing is None else [float(size) for size in spacing]
