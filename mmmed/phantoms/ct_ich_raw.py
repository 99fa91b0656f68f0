"""Generated patients as files in the layouts of the two ct-ich releases."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmmed.files import write_text_atomic
from mmmed.functional.intensity import apply_window
from mmmed.io import encode_image, write_volume
from mmmed.phantoms.head_ct import HeadPhantom
from mmmed.structures import Volume

# Level and width in HU of the released images.
_WINDOWS_HU = {'brain': (40, 120), 'bone': (700, 3200)}
_COLUMNS = (
    'Intraventricular',
    'Intraparenchymal',
    'Subarachnoid',
    'Epidural',
    'Subdural',
)
_DIAGNOSIS = (
    'PatientNumber',
    'SliceNumber',
    *_COLUMNS,
    'No_Hemorrhage',
    'Fracture_Yes_No',
)
_DEMOGRAPHICS = (
    'Patient Number',
    'Age\n(years)',
    'Gender',
    *_COLUMNS,
    'Fracture (Yes/No)',
    'Condition on file',
    'Note',
)


def write_jpeg_release(out: str | Path, heads: Iterable[HeadPhantom]) -> int:
    """Write ``Patients_CT/NNN/{brain,bone}/M.jpg``, masks and both tables.

    Args:
        out: Folder to create; must not hold anything.
        heads: Patients, taken one by one.

    Returns:
        Number of slices.

    Raises:
        ValueError: The folder is not empty.
        OSError: The folder cannot be written.
    """
    out = _make_folder(out)
    written = []
    for head in heads:
        folder = out / 'Patients_CT' / f'{head.number:03d}'
        for index, hu in enumerate(head.volume.array):
            number = index + 1
            for window, (level, width) in _WINDOWS_HU.items():
                grey = apply_window(hu, level_hu=level, width_hu=width)
                # Grey, but stored as colour: so are the released images.
                _write(folder / window / f'{number}.jpg', np.dstack([grey] * 3))
            if head.mask[index].any():
                mask = head.mask[index] * np.uint8(255)
                _write(folder / 'brain' / f'{number}_HGE_Seg.jpg', mask)
        written.append(head)
    return _write_tables(out, written, 'hemorrhage_diagnosis.csv')


def write_nifti_release(out: str | Path, heads: Iterable[HeadPhantom]) -> int:
    """Write ``ct_scans/NNN.nii`` in HU, ``masks/NNN.nii`` in {0, 255}, both tables.

    Arguments, return value and errors are those of :func:`write_jpeg_release`.
    """
    out = _make_folder(out)
    written = []
    for head in heads:
        volume, name = head.volume, f'{head.number:03d}.nii'
        mask = Volume(head.mask * np.uint8(255), volume.spacing, volume.affine)
        write_volume(volume, out / 'ct_scans' / name)
        write_volume(mask, out / 'masks' / name)
        written.append(head)
    return _write_tables(out, written, 'hemorrhage_diagnosis_raw_ct.csv')


def _make_folder(out: str | Path) -> Path:
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f'{out}: exists and is not empty; choose another folder')
    out.mkdir(parents=True, exist_ok=True)
    return out


def _write(path: Path, image: NDArray[np.uint8]) -> None:
    """Plain write: a phantom is made again rather than saved from a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_image(image, path.suffix))


def _write_tables(out: Path, heads: Iterable[HeadPhantom], name: str) -> int:
    diagnosis, demographics = [], []
    for head in heads:
        ever = frozenset().union(*head.subtypes)
        for index, seen in enumerate(head.subtypes):
            flags = [int(column.lower() in seen) for column in _COLUMNS]
            row = [
                head.number,
                index + 1,
                *flags,
                int(not seen),
                int(head.fracture[index]),
            ]
            diagnosis.append(row)
        marks = ['1' if column.lower() in ever else '' for column in _COLUMNS]
        broken = '1' if any(head.fracture) else ''
        condition = 'Generated, with hemorrhage' if ever else 'Generated, normal'
        demographics.append(
            [head.number, head.age_years, head.sex, *marks, broken, condition, '']
        )
    # Byte order mark and line ends as released.
    write_text_atomic(out / name, '\ufeff' + _format_csv(_DIAGNOSIS, diagnosis))
    write_text_atomic(
        out / 'Patient_demographics.csv', _format_csv(_DEMOGRAPHICS, demographics)
    )
    return len(diagnosis)


def _format_csv(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator='\r\n')
    writer.writerow(header)
    writer.writerows(rows)
    return stream.getvalue()
