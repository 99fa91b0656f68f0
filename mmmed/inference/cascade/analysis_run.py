"""Lesions of given masks measured, without any network."""

from pathlib import Path
from typing import Any

import numpy as np

from mmmed.inference.cascade.lesion_analysis import analyze_lesions
from mmmed.inference.cascade.outputs import MEASURES
from mmmed.inference.cascade.records import write_record
from mmmed.io import read_volume, write_volume
from mmmed.structures import Volume

LABELS_NAME = 'lesion_labels.nii.gz'


def analyze_files(
    lesion: str | Path,
    out: str | Path,
    *,
    cord: str | Path | None = None,
    image: str | Path | None = None,
    levels: str | Path | None = None,
) -> dict[str, Any]:
    """Measure the lesions of a mask and write what was measured.

    Args:
        lesion: Binary mask.
        out: Folder: ``lesion_analysis.json`` and ``.csv``, and ``lesion_labels.nii.gz``
            with the number of the lesion in each voxel.
        cord: Binary mask of the cord on the same voxels; lesions end at it.
        image: Image on the same voxels, whose values in lesions are told.
        levels: Vertebral level of each voxel, likewise, 0 where unknown.

    Returns:
        ``out``, ``lesions`` and ``volume_mm3``.

    Raises:
        FileNotFoundError: A file is absent.
        ValueError: A file is damaged or 4-D, a mask is not binary, or grids differ.
    """
    out = Path(out)
    mask = read_volume(lesion, ndim=3)
    unknown = mask.replace_array(np.full(mask.shape, np.nan, np.float32))
    analysis = analyze_lesions(
        mask.array,
        None if cord is None else _read_on(mask, cord).array,
        unknown if image is None else _read_on(mask, image),
        levels=None if levels is None else _read_on(mask, levels).array,
    )
    write_record(out / f'{MEASURES}.json', 'lesion_analysis', analysis.to_json())
    analysis.write_csv(out / f'{MEASURES}.csv')
    kind = np.uint8 if len(analysis.lesions) < 256 else np.int32
    write_volume(
        mask.replace_array(analysis.labels.astype(kind)), out / LABELS_NAME, like=mask
    )
    return {
        'out': str(out),
        'lesions': len(analysis.lesions),
        'volume_mm3': analysis.volume_mm3,
        'outside_cord': len(analysis.outside_voxels),
    }


def _read_on(mask: Volume, path: str | Path) -> Volume:
    """A volume with the axes of the mask.

    Raises:
        ValueError: It lies on other voxels.
    """
    volume = read_volume(path, ndim=3).reorient(mask.orientation)
    volume.check_grid(mask)
    return Volume(volume.array, mask.spacing, mask.grid, volume.source)
