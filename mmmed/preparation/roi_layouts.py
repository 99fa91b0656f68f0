"""Lesions of a raw folder: crops or volumes with annotations, or volumes with masks.

Layouts, each with one folder a case: ``<case>_lesion0_17.3mm/annotations.json`` and
crops; ``<case>/annotations.json`` and whole volumes, with any number of lesions;
``<case>/QSM.nii.gz`` with ``QSM_mask.nii.gz`` and a table of labels. Not here: reading
annotations (``roi_annotations``), LLD-MMRI (``lld_mmri``).
"""

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmmed.preparation.findings import Finding, InputError
from mmmed.preparation.roi_annotations import (
    ROIAnnotation,
    check_labels,
    parse_label,
    read_annotations,
)
from mmmed.preparation.roi_sources import (
    ROILayout,
    ROISource,
    limit_findings,
    list_images,
    name_case,
    name_sequence,
)
from mmmed.structures.json_file import load_json

ANNOTATIONS = 'annotations.json'
CLASSES = 'classes.json'
_CROP = re.compile(r'(?P<patient>.+?)_lesion(?P<id>[^_]+)(?:_(?P<mm>[\d.]+)mm)?')
_MASK = '_mask'


def find_annotated(
    root: Path, targets: Sequence[str] = (), *, patient_pattern: str | None = None
) -> ROILayout:
    """Lesions that annotation files describe.

    Args:
        root: Raw folder.
        targets: Entries that are targets; none takes all that hold class indices in
            every file.
        patient_pattern: Regular expression whose group ``patient`` is the patient in
            the name of a case's folder; None takes what is before ``_lesion``.

    Raises:
        InputError: A requested target occurs nowhere, or the pattern is wrong.
    """
    files = sorted(root.glob(f'*/{ANNOTATIONS}'))
    findings: list[Finding] = []
    read: list[tuple[Path, tuple[ROIAnnotation, ...]]] = []
    for path in files:
        try:
            read.append((path, read_annotations(path)))
        except (OSError, ValueError) as error:
            findings.append(_explain(root, path, error))
    names, ignored = _choose_targets(read, targets, root)
    sources: list[ROISource] = []
    for path, annotations in read:
        try:
            labels = check_labels(annotations, names)
        except ValueError as error:
            findings.append(_explain(root, path, error))
            continue
        made, odd = _make_sources(root, path, annotations, labels, patient_pattern)
        sources += made
        findings += odd
    folders = [path for path in sorted(root.iterdir()) if path.is_dir()]
    for folder in folders:
        if not (folder / ANNOTATIONS).is_file() and list_images(folder):
            text = f'no {ANNOTATIONS} beside its images'
            findings.append(Finding(folder.name, text, 'add one, or remove the folder'))
    classes, inputs = read_classes(root)
    return ROILayout(
        'annotated', sources, classes, limit_findings(findings), inputs, ignored
    )


def find_masked(
    root: Path,
    *,
    labels_csv: Path | None,
    targets: Sequence[str] = (),
    patient_pattern: str | None = None,
) -> ROILayout:
    """Lesions that label maps ``<sequence>_mask`` beside the volumes show.

    Args:
        root: Raw folder; one lesion a folder.
        labels_csv: Table with the folder's name and a class index a target; with a
            header line that names the targets, or without and then of one target,
            ``label``.
        targets: As for :func:`find_annotated`.
        patient_pattern: As for :func:`find_annotated`; None takes the folder's name.

    Raises:
        InputError: The table cannot be read.
    """
    table, known = ({}, ()) if labels_csv is None else _read_labels(labels_csv)
    names = tuple(targets) or known or ('label',)
    findings, sources = [], []
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        images = list_images(folder)
        masks = {
            name.removesuffix(_MASK): path
            for name, path in images.items()
            if name.endswith(_MASK)
        }
        files = {n: path for n, path in images.items() if not n.endswith(_MASK)}
        masks = {name: path for name, path in masks.items() if name in files}
        if not masks:
            if files:
                text = f'no image with its {_MASK}'
                findings.append(Finding(folder.name, text, 'add the label map'))
            continue
        row = table.get(folder.name, {})
        sources.append(
            ROISource(
                f'{name_case(folder.name)}_lesion0',
                _name_patient(folder.name, patient_pattern),
                files,
                is_cropped=False,
                masks=masks,
                targets={name: row.get(name) for name in names},
            )
        )
    classes, inputs = read_classes(root)
    tables = [labels_csv] if labels_csv and root in labels_csv.parents else []
    return ROILayout(
        'masks', sources, classes, limit_findings(findings), [*inputs, *tables]
    )


def read_classes(root: Path) -> tuple[dict[str, list[str]], list[Path]]:
    """Class names of ``classes.json``: ``{"type": ["hcc", "cyst"]}``, if it is there.

    Raises:
        InputError: It is something else.
    """
    path = root / CLASSES
    if not path.is_file():
        return {}, []
    try:
        value = load_json(path)
    except ValueError as error:
        raise InputError(f'{path}: {error}; correct or remove it') from error
    if not isinstance(value, Mapping) or not all(
        isinstance(names, list) and all(isinstance(n, str) and n for n in names)
        for names in value.values()
    ):
        raise InputError(
            f'{path}: expected class names by target, {{"type": ["hcc", "cyst"]}}; '
            'correct or remove it'
        )
    return {str(name): list(names) for name, names in value.items()}, [path]


def _choose_targets(
    read: Sequence[tuple[Path, Sequence[ROIAnnotation]]],
    targets: Sequence[str],
    root: Path,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Targets, and entries that are none because some value is no class index."""
    known: dict[str, bool | None] = {}  # None: no value anywhere yet
    for _, annotations in read:
        for annotation in annotations:
            for name, value in annotation.labels.items():
                known.setdefault(name, None)
                try:
                    is_label = parse_label(value) is not None
                except ValueError:
                    known[name] = False
                    continue
                if is_label and known[name] is None:
                    known[name] = True
    if targets:
        absent = [name for name in targets if name not in known]
        if absent and read:
            raise InputError(
                f'{root}: no annotation has a target {absent[0]!r}; there are '
                f'{", ".join(known) or "none"}'
            )
        return tuple(targets), ()
    found = tuple(name for name, is_target in known.items() if is_target)
    odd = tuple(name for name, is_target in known.items() if is_target is False)
    return found, odd


def _make_sources(
    root: Path,
    path: Path,
    annotations: Sequence[ROIAnnotation],
    labels: Mapping[str, Mapping[str, int | None]],
    pattern: str | None,
) -> tuple[list[ROISource], list[Finding]]:
    folder = path.parent
    crop = _CROP.fullmatch(folder.name)
    patient = _name_patient(folder.name, pattern)
    sources, findings = [], []
    listed: set[str] = set()
    for annotation in annotations:
        files, centers = {}, {}
        for index, name in enumerate(annotation.files):
            sequence = name_sequence(name)
            listed.add(name)
            if not sequence or sequence in files:
                text = f'{name!r} and another file are one sequence, {sequence!r}'
                findings.append(Finding(_relate(root, path), text, 'rename one'))
                continue
            if not (folder / name).is_file():
                text = f'{name!r} is listed but not there; taken as missing'
                remedy = 'fetch it again'
                findings.append(Finding(_relate(root, path), text, remedy, False))
                continue
            files[sequence] = folder / name
            if annotation.centers_lps:
                centers[sequence] = annotation.centers_lps[index]
        where = f'ROI {annotation.roi_id!r}'
        if not files:
            text = f'{where} has no image'
            findings.append(Finding(_relate(root, path), text, 'fetch it again'))
            continue
        if not crop and not centers:
            text = f'{where} has no phy_loc_xyz, so nothing says where it is'
            remedy = 'add it, or name the folder <case>_lesion0_17.3mm if it is a crop'
            findings.append(Finding(_relate(root, path), text, remedy))
            continue
        case_id = name_case(folder.name)
        if not crop or len(annotations) > 1:
            case_id = f'{case_id}_lesion{name_case(annotation.roi_id)}'
        size_mm = annotation.size_mm
        if size_mm is None and crop and crop['mm']:
            size_mm = _read_number(crop['mm'])
        sources.append(
            ROISource(
                case_id,
                patient,
                files,
                # Several lesions in one crop cannot all be in its middle.
                is_cropped=bool(crop) and (len(annotations) == 1 or not centers),
                centers_lps=centers,
                size_mm=size_mm,
                targets=labels[annotation.roi_id],
                annotation=path,
            )
        )
    stray = [p.name for p in list_images(folder).values() if p.name not in listed]
    if stray:
        text = f'{len(stray)} image(s) that the annotation does not list: {stray[0]}'
        remedy = 'list it in nifti_files if it belongs to the lesion'
        findings.append(Finding(_relate(root, path), text, remedy, skipped=False))
    return sources, findings


def _name_patient(folder: str, pattern: str | None) -> str:
    if pattern is None:
        match = _CROP.fullmatch(folder)
        return match['patient'] if match else folder
    try:
        found = re.match(pattern, folder)
        patient = found['patient'] if found else ''
    except (re.error, IndexError) as error:
        raise InputError(
            f'--patient-pattern {pattern!r} is wrong ({error}), expected such as '
            "'(?P<patient>[A-Z]+_[0-9]+)'"
        ) from error
    if not patient:
        raise InputError(
            f'--patient-pattern {pattern!r} finds no patient in {folder!r}; correct it'
        )
    return patient


def _read_labels(
    path: Path,
) -> tuple[dict[str, dict[str, int | None]], tuple[str, ...]]:
    """Labels by case, and the names of the targets."""
    try:
        with path.open(encoding='utf-8-sig', newline='') as stream:
            rows = [row for row in csv.reader(stream) if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f'{path}: cannot be read ({error}); export it again'
        ) from error
    if not rows or len({len(row) for row in rows}) != 1 or len(rows[0]) < 2:
        raise InputError(f'{path}: expected rows of a case and its class indices')
    names: tuple[str, ...] = ('label',)
    try:
        for value in rows[0][1:]:
            parse_label(value)
        names = (
            names
            if len(rows[0]) == 2
            else tuple(f'label{k}' if k else 'label' for k in range(len(rows[0]) - 1))
        )
    except ValueError:  # a header
        names, rows = tuple(name.strip() for name in rows[0][1:]), rows[1:]
    table: dict[str, dict[str, int | None]] = {}
    for number, row in enumerate(rows, 1):
        try:
            labels = [parse_label(value) for value in row[1:]]
        except ValueError as error:
            raise InputError(f'{path}: row {number}: {error}') from error
        table[row[0].strip()] = dict(zip(names, labels, strict=True))
    return table, names


def _read_number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if value > 0 else None


def _relate(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _explain(root: Path, path: Path, error: Exception) -> Finding:
    problem, _, remedy = str(error).rpartition('; ')
    return Finding(
        _relate(root, path), problem or str(error), remedy if problem else 'correct it'
    )
