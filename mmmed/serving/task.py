"""A task: one scan from its file to mask, picture and report; runs in a worker.

Not here: the process around it (``worker``), who asked for it (``desk``, ``watch``).
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmmed.files import write_json_atomic
from mmmed.inference.case_store import make_printable
from mmmed.inference.discovery import DICOM, ScanCase
from mmmed.io import write_volume
from mmmed.io.dicom_files import scan_folder
from mmmed.serving.findings import describe_mask
from mmmed.serving.formats import too_many_voxels
from mmmed.serving.predictor import Predictor
from mmmed.structures import Volume
from mmmed.version import __version__

SCHEMA_VERSION = 1
NOTICE = 'Research use only. Not a medical device; not for clinical use.'
# Share of a task that is over when its network starts, and when it ends.
_READ, _PREDICTED = 0.1, 0.9
_SHOWN = 3

Tell = Callable[[float, str], None]


@dataclass(frozen=True)
class Task:
    """What a worker needs to know.

    Args:
        case: The scan.
        out: Folder for ``mask.nii.gz`` and ``report.json``.
        model: Name of the model.
        facts: What else the report shall say.
        voxels: Largest scan.
        with_image: Whether ``image.nii.gz``, the scan turned for the viewer, is
            written too.
    """

    case: ScanCase
    out: Path
    model: str
    facts: dict[str, Any]
    voxels: int
    with_image: bool = True


def run_task(task: Task, predictor: Predictor, tell: Tell) -> dict[str, Any]:
    """Read, predict, measure, write.

    Args:
        task: See :class:`Task`.
        predictor: The model of that name.
        tell: Given the share that is done and what is being done.

    Returns:
        The report, which is on disk too. It is written last: where it says ``done``,
        everything is there.

    Raises:
        ValueError: The scan is damaged or not what the model expects.
        ServiceError: The scan is too large.
    """
    started = time.perf_counter()
    tell(0.0, 'reading the scan')
    volume = _find_case(task).read()
    if math.prod(volume.array.shape) > task.voxels:
        raise too_many_voxels(math.prod(volume.array.shape), task.voxels)
    task.out.mkdir(parents=True, exist_ok=True)
    if task.with_image:
        tell(_READ / 2, 'preparing the picture')
        write_volume(_make_picture(volume), task.out / 'image.nii.gz')
    tell(_READ, 'segmenting')
    found = predictor.predict(
        volume,
        lambda share: tell(_READ + share * (_PREDICTED - _READ), 'segmenting'),
    )
    tell(_PREDICTED, 'measuring')
    volume.check_grid(found.mask)
    measures = describe_mask(found.mask, predictor.classes)
    tell(0.95, 'writing the mask')
    write_volume(found.mask, task.out / 'mask.nii.gz', like=volume)
    notes = volume.source.notes if volume.source else ()
    report = make_printable(
        {
            'schema_version': SCHEMA_VERSION,
            'notice': NOTICE,
            'status': 'done',
            **task.facts,
            'mmmed': __version__,
            'model': {'name': task.model, **predictor.describe()},
            'shape': list(volume.shape),
            'spacing': [round(mm, 6) for mm in volume.spacing],
            'orientation': volume.orientation,
            'affine': [[float(v) for v in row] for row in volume.grid],
            **measures,
            'warnings': [*notes, *found.notes],
            'seconds': round(time.perf_counter() - started, 3),
        }
    )
    write_json_atomic(task.out / 'report.json', report)
    tell(1.0, 'done')
    return report


def _make_picture(volume: Volume) -> Volume:
    """The first channel, canonical: what a viewer can show of any scan."""
    array = volume.array if volume.array.ndim == 3 else volume.array[0]
    turned = volume.replace_array(array).reorient()
    # Without its source: no header of another format, no scaling, no patient's name.
    return Volume(turned.array, turned.spacing, turned.grid)


def _find_case(task: Task) -> ScanCase:
    """The case, its DICOM series found and judged by what its headers announce.

    Compressed pixels may be tiny, so their number is checked before they are read.
    """
    case = task.case
    if case.kind not in (DICOM, '.dcm') or not case.path.exists():
        return case
    series = case.series
    if series is None and case.path.is_dir():
        found, skipped = scan_folder(case.path)
        if len(found) != 1:
            names = '; '.join(str(one) for one in found[:_SHOWN])
            reasons = '; '.join(sorted({one.reason for one in skipped})[:_SHOWN])
            raise ValueError(
                f'{len(found)} DICOM image series ({names or reasons or "no DICOM"}), '
                'expected one; zip the files of one series only'
            )
        series = found[0]
    if series is not None and math.prod(series.shape) > task.voxels:
        raise too_many_voxels(math.prod(series.shape), task.voxels)
    return replace(case, series=series)
