"""Files of one series: masks on its own grid, DICOM-SEG, measures, what made them.

Not here: what was decided (``records``), whether results may be replaced
(``series_store``).
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.files import write_json_atomic
from mmmed.inference.cascade.lesion_analysis import LesionAnalysis
from mmmed.inference.cascade.pictures import NOTE
from mmmed.inference.cascade.records import make_generated_by, write_record
from mmmed.inference.cascade.result import CascadeResult
from mmmed.inference.cascade.series import PICTURES, Series
from mmmed.inference.discovery import make_safe_name
from mmmed.io import Segment, write_label, write_segmentation, write_volume
from mmmed.structures import Volume

LESION_MASK = 'segmentation_mask.nii.gz'
CORD_MASK = 'spinal_cord_mask.nii.gz'
CONFIDENCE = 'confidence_map.nii.gz'
INPUT_COPY = 'input.nii.gz'
DICOM_SEG = 'segmentation.dcm'
MEASURES = 'lesion_analysis'
# Folders of one picture a slice, where the input was pictures.
PICTURE_FOLDERS = ('segmentation_mask', 'spinal_cord_mask')
_SEGMENTS = (
    Segment(
        1,
        'Spinal cord',
        ('91723000', 'SCT', 'Anatomical Structure'),
        ('2748008', 'SCT', 'Spinal cord'),
    ),
    Segment(
        2,
        'Lesion of the spinal cord',
        ('49755003', 'SCT', 'Morphologically Abnormal Structure'),
        ('52988006', 'SCT', 'Lesion'),
    ),
)


@dataclass(frozen=True)
class OutputSettings:
    """What is written for a series; the keys of ``output`` in a configuration file.

    Args:
        generate_previews: Pictures of slices, and the mosaics of the report.
        save_confidence_maps: Probability of lesion of each voxel.
        save_intermediate_results: Also the image as it was read, as NIfTI.
        preview_slices: Slices to show, counted from 0; empty chooses by lesion.

    Raises:
        ValueError: A slice number is negative.
    """

    generate_previews: bool = True
    save_confidence_maps: bool = True
    save_intermediate_results: bool = False
    preview_slices: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if any(number < 0 for number in self.preview_slices):
            raise ValueError(
                f'preview_slices is {list(self.preview_slices)}, expected numbers of '
                'slices, counted from 0'
            )


def write_results(
    folder: Path,
    series: Series,
    volume: Volume,
    result: CascadeResult,
    analysis: LesionAnalysis | None,
    settings: OutputSettings,
) -> list[str]:
    """Write what was found in a series.

    Args:
        folder: Of the series' results.
        series: The series.
        volume: As it was read, with the header of its file.
        result: What the cascade found; a rejected one has no masks, and then none
            are written.
        analysis: Measures of its lesions.
        settings: What is wanted.

    Returns:
        Warnings: what could not be written, in sentences.

    Raises:
        OSError: A file cannot be written.
    """
    warnings: list[str] = []
    if settings.save_intermediate_results:
        write_volume(volume, folder / INPUT_COPY)
    masks = {LESION_MASK: result.lesion_mask, CORD_MASK: result.cord_mask}
    for name, mask in masks.items():
        if mask is not None:
            _write_on_grid(volume, mask.astype(np.uint8), folder / name)
            _write_sidecar(folder / name, series, result)
            if series.kind == PICTURES:
                _write_pictures(folder / name.split('.')[0], series, mask)
    if settings.save_confidence_maps and result.confidence is not None:
        prob = result.confidence.astype(np.float32)
        _write_on_grid(volume, prob, folder / CONFIDENCE)
        _write_sidecar(folder / CONFIDENCE, series, result)
    if series.dicom is not None and result.cord_mask is not None:
        warnings += _write_dicom_seg(folder / DICOM_SEG, volume, result)
    if analysis is not None:
        write_record(folder / f'{MEASURES}.json', 'lesion_analysis', analysis.to_json())
        analysis.write_csv(folder / f'{MEASURES}.csv')
    return warnings


def _write_on_grid(volume: Volume, array: NDArray[Any], path: Path) -> None:
    """Values of the series' own grid, with the header of its file."""
    mask = volume.replace_array(array)
    if mask.source is not None:
        # Masks and probabilities are no grey values: the image's scaling is not theirs.
        source = dataclasses.replace(mask.source, scaling=(1.0, 0.0))
        mask = dataclasses.replace(mask, source=source)
    write_volume(mask, path)


def _write_sidecar(path: Path, series: Series, result: CascadeResult) -> None:
    """What made a file, in the manner of BIDS derivatives."""
    values: dict[str, Any] = {
        'GeneratedBy': make_generated_by(),
        'Sources': [series.place],
        'SpatialReference': 'orig',
        'Stages': [
            {
                'Name': stage.name,
                'Model': stage.model,
                'CheckpointSHA256': stage.checkpoint_sha256,
            }
            for stage in result.stages
            if stage.model
        ],
    }
    if series.kind == PICTURES:
        values['SpatialReference'] = None
        values['Comment'] = NOTE
    sidecar = path.with_name(path.name.removesuffix('.nii.gz') + '.json')
    write_json_atomic(sidecar, values)


def _write_pictures(folder: Path, series: Series, mask: NDArray[np.uint8]) -> None:
    """One picture a slice, 0 and 255, named after the slice that it belongs to."""
    for name, plane in zip(_name_slices(series, len(mask)), mask, strict=True):
        write_label(folder / f'{name}.png', plane.astype(np.uint8) * 255)


def _name_slices(series: Series, count: int) -> Sequence[str]:
    if len(series.files) != count:  # pages of one file
        return [f'slice_{index:03d}' for index in range(count)]
    stems = [path.stem for path in series.files]
    unique = len({stem.casefold() for stem in stems}) == len(stems)
    return [make_safe_name(path.stem if unique else path.name) for path in series.files]


def _write_dicom_seg(path: Path, volume: Volume, result: CascadeResult) -> list[str]:
    lesion = result.lesion_mask
    if result.cord_mask is None or lesion is None:
        return []
    both = np.stack([result.cord_mask > 0, lesion > 0]).astype(np.uint8)
    try:
        write_segmentation(
            volume.replace_array(both),
            path,
            segments=_SEGMENTS,
            description='Spinal cord and lesions (mmmed)',
        )
    except (ValueError, ImportError) as error:
        # The NIfTI files say the same.
        return [f'No DICOM-SEG was written: {error}']
    return []
