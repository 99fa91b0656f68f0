"""LLD-MMRI 2023: eight phases of liver MRI, seven types of lesion, one box a phase.

Two layouts of the same data: whole volumes with ``labels/Annotation.json``, and the
published crops, ``classification_dataset/{images,labels}``. Not here: what becomes of
the voxels (``roi_conversion``).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmmed.preparation.findings import Finding, InputError
from mmmed.preparation.roi_sources import (
    Box,
    ROILayout,
    ROISource,
    limit_findings,
    list_images,
    name_case,
    name_sequence,
)
from mmmed.structures.json_file import load_json

CLASSES = (
    'hepatic_hemangioma', 'intrahepatic_cholangiocarcinoma', 'hepatic_abscess',
    'hepatic_metastasis', 'hepatic_cyst', 'focal_nodular_hyperplasia',
    'hepatocellular_carcinoma',
)  # fmt: skip
PHASES = (
    'T2WI', 'DWI', 'In Phase', 'Out Phase', 'C-pre', 'C+A', 'C+V', 'C+Delay',
)  # fmt: skip
TARGET = 'type'
MARGIN = (2, 16, 16)
_ANNOTATION = Path('labels', 'Annotation.json')
_PATH_SIGNS = set('/\\:\0')


def find_lld(root: Path, *, margin: Sequence[int] = MARGIN) -> ROILayout | None:
    """Lesions of a folder in one of the two layouts.

    Args:
        root: Raw folder, or the one that holds ``classification_dataset``.
        margin: Voxels (Z, Y, X) around a box, as the published crops have.

    Returns:
        None where it is neither.

    Raises:
        InputError: The list cannot be read.
    """
    crops = root if _has_crops(root) else root / 'classification_dataset'
    if _has_crops(crops):
        return _find_crops(root, crops)
    if (root / _ANNOTATION).is_file():
        return _find_boxes(root, margin)
    return None


def _has_crops(folder: Path) -> bool:
    return (folder / 'images').is_dir() and any(
        path.name.startswith('labels') for path in (folder / 'labels').glob('*.txt')
    )


def _find_crops(root: Path, folder: Path) -> ROILayout:
    """Crops, whose geometry the published script dropped: 1 mm is not believable."""
    lists = sorted((folder / 'labels').glob('labels*.txt'))
    labels: dict[str, int | None] = {}
    for path in lists:
        for number, line in enumerate(path.read_text(encoding='utf-8').split('\n'), 1):
            if not line.strip():
                continue
            name, _, value = line.strip().rpartition(' ')
            labels[name.strip()] = _read_category(value, f'{path}: line {number}')
    sources, findings = [], []
    for case in sorted(path for path in (folder / 'images').iterdir() if path.is_dir()):
        name = case.relative_to(root).as_posix()
        files = _order(list_images(case))
        if case.name not in labels or not files:
            text = 'no label of this case' if files else 'no image'
            findings.append(Finding(name, text, 'fetch the labels again'))
            continue
        label = labels[case.name]
        sources.append(
            ROISource(
                name_case(case.name),
                _name_patient(case.name),
                files,
                targets={TARGET: label},
                is_test=label is None,
            )
        )
    return ROILayout(
        'lld-mmri', sources, {TARGET: CLASSES}, limit_findings(findings), lists
    )


def _find_boxes(root: Path, margin: Sequence[int]) -> ROILayout:
    path = root / _ANNOTATION
    try:
        patients = load_json(path)['Annotation_info']
        items = [
            (str(patient), phase, str(number), lesion)
            for patient, phases in patients.items()
            for phase in phases
            for number, lesion in phase['annotation']['lesion'].items()
        ]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(
            f'{path}: not the list of LLD-MMRI ({error!r}); fetch it again'
        ) from error
    found: dict[tuple[str, str], dict[str, Any]] = {}
    findings = []
    for patient, phase, number, lesion in items:
        try:
            image, sequence, box, size_mm = _read_phase(root, patient, phase, lesion)
            label = _read_category(lesion['category'], str(path))
        except (KeyError, TypeError, ValueError) as error:
            text = f'{patient}, lesion {number}: {error}'
            findings.append(Finding(_ANNOTATION.as_posix(), text, 'fetch it again'))
            continue
        if not image.is_file():
            text = f'{image.relative_to(root).as_posix()!r} is not there; left out'
            findings.append(
                Finding(_ANNOTATION.as_posix(), text, 'fetch it again', skipped=False)
            )
            continue
        entry = found.setdefault(
            (patient, number), {'files': {}, 'boxes': {}, 'sizes': [], 'label': label}
        )
        entry['files'][sequence] = image
        entry['boxes'][sequence] = _widen(box, margin)
        entry['sizes'].append(size_mm)
    sources = [
        ROISource(
            f'{name_case(patient)}_lesion{name_case(number)}',
            patient,
            _order(entry['files']),
            is_cropped=False,
            boxes=entry['boxes'],
            size_mm=round(max(entry['sizes']), 2),
            targets={TARGET: entry['label']},
            annotation=path,
            is_test=entry['label'] is None,
        )
        for (patient, number), entry in sorted(found.items())
    ]
    return ROILayout(
        'lld-mmri', sources, {TARGET: CLASSES}, limit_findings(findings), [path]
    )


def _read_phase(
    root: Path, patient: str, phase: Mapping[str, Any], lesion: Mapping[str, Any]
) -> tuple[Path, str, Box, float]:
    parts = [patient, str(phase['studyUID']), str(phase['seriesUID'])]
    # The list must not choose a file outside the folder.
    if any(set(part) & _PATH_SIGNS or part.strip('.') == '' for part in parts):
        raise ValueError(f'{"/".join(parts)!r} is no plain path')
    image = root / 'images' / parts[0] / parts[1] / f'{parts[2]}.nii.gz'
    name = str(phase['phase'])
    if name not in PHASES:
        raise ValueError(f'phase {name!r}, expected one of {", ".join(PHASES)}')
    corners = lesion['bbox']['3D_box']
    ends = [(int(corners[f'{a}_min']), int(corners[f'{a}_max'])) for a in 'zyx']
    if any(low > high or low < 0 for low, high in ends):
        raise ValueError(f'box {ends} is empty')
    rows, columns = (float(v) for v in phase['pixel_spacing'][:2])
    spacing = (float(phase['slice_thickness']), rows, columns)
    if not all(0 < mm < 1000 for mm in spacing):
        raise ValueError(f'voxel size {spacing} mm is not possible')
    size_mm = max(
        (high - low + (axis == 0)) * mm
        for axis, ((low, high), mm) in enumerate(zip(ends, spacing, strict=True))
    )
    z, y, x = ends
    # Slices are counted with the last one, rows and columns without.
    return image, name_sequence(f'{name}.nii'), ((z[0], z[1] + 1), y, x), size_mm


def _widen(box: Box, margin: Sequence[int]) -> Box:
    z, y, x = ((low - m, high + m) for (low, high), m in zip(box, margin, strict=True))
    return z, y, x


def _read_category(value: Any, where: str) -> int | None:
    try:
        label = int(value)
    except (TypeError, ValueError):
        label = -2
    if not -1 <= label < len(CLASSES):
        raise InputError(f'{where}: category {value!r}, expected -1 to 6')
    return None if label < 0 else label


def _order(files: Mapping[str, Path]) -> dict[str, Path]:
    known = [name_sequence(f'{name}.nii') for name in PHASES]
    return {name: files[name] for name in known if name in files}


def _name_patient(case: str) -> str:
    """Further lesions of a patient have their number behind the name: MR12_1."""
    head, _, tail = case.rpartition('_')
    return head if head and tail.isdigit() else case
