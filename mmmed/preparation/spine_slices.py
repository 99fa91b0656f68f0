"""Pictures of slices with label pictures beside them: to a manifest of slices.

Not here: volumes (``spine``), pictures with a class alone (``picture_classes``).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.files import hash_json
from mmmed.functional.planes import PLANES
from mmmed.io import read_image
from mmmed.io.png import squeeze_grey
from mmmed.preparation.base import BasePreparer
from mmmed.preparation.case_names import name_by_path
from mmmed.preparation.findings import Finding, InputError, SourceError
from mmmed.preparation.parts import Plan, Record, Slice, Task
from mmmed.preparation.picture_layouts import find_phase, list_pictures
from mmmed.preparation.spine_names import find_location, find_sequence, find_subject
from mmmed.preparation.spine_targets import TargetTable
from mmmed.registry import PREPARERS
from mmmed.structures import Case

_GREY_TOLERANCE = 8
_IMAGES, _LABELS = 'images', 'labels'


@dataclass(frozen=True)
class _Pair:
    """Picture and label, relative to the raw folder, and whose they are."""

    path: PurePosixPath
    label: PurePosixPath
    phase: str | None
    patient: str
    series: str
    number: int
    targets: Mapping[str, str]
    plane: str | None


@PREPARERS.register_module(name='spine-slices')
class SpineSlicePreparer(BasePreparer):
    """Preparer of exported slices of the spine, one case a slice.

    Raw folder: ``images/[train|val|test/]...`` mirrored by ``labels/...`` with the same
    names (suffixes may differ), PNG or JPEG images and PNG labels; anywhere below, such
    as ``SUBJECT/images/train/T2w_sagittal/x_12.png``. Labels: above 0 is inside. The
    result is for ``mmmed.MedSegDataset``.

    The patient is ``sub-*`` in the path, or that of the table. Pictures that have none
    are one person. Pictures carry no millimetres: ``spacing`` is null unless
    ``spacing_mm`` gives it, and no axis is turned or named.

    Args:
        target: What the labels show: ``'cord'`` or ``'lesion'``.
        targets: CSV as for ``spine``: path (picture or folder), anatomy, location,
            sequence, patient.
        spacing_mm: Pixel size (row, column) in mm of all pictures; None if unknown.
        **options: See :class:`BasePreparer`. Where there are phases, ``val`` is the
            hold-out and ``test`` is left out.
    """

    name = 'spine-slices'
    classes = ('background', 'cord')
    help = 'pictures of spine slices (images/, labels/) with cord or lesion labels'

    def __init__(
        self,
        *,
        target: str = 'cord',
        targets: str | Path | None = None,
        spacing_mm: Sequence[float] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._val_is_chosen = bool(self.partition.val_patients)
        if target not in ('cord', 'lesion'):
            raise InputError(f"--target is {target!r}, expected 'cord' or 'lesion'")
        if spacing_mm is not None and (len(spacing_mm) != 2 or min(spacing_mm) <= 0):
            raise InputError(f'--spacing-mm is {spacing_mm}, expected two mm > 0')
        self.target = target
        self.classes = ('background', target)
        self.spacing = (
            None if spacing_mm is None else (float(spacing_mm[0]), float(spacing_mm[1]))
        )
        self.table = TargetTable() if targets is None else TargetTable.read(targets)

    @classmethod
    def add_arguments(cls, add: Callable[..., Any]) -> None:
        """Options of exported slices on the command line."""
        known = ('cord', 'lesion')
        add('--target', choices=known, default='cord', help='what labels show (cord)')
        columns = 'path, anatomy, location, sequence, patient'
        add('--targets', metavar='CSV', help=f'what pictures show: {columns}')
        add('--spacing-mm', type=float, nargs=2, metavar=('ROW', 'COLUMN'))

    def conversion_options(self) -> Mapping[str, Any]:
        """The pixel size is written into every record."""
        return {'spacing': self.spacing}

    def discover(self, raw: Path) -> Plan:
        """Pair pictures with labels; none is opened."""
        findings: list[Finding] = []
        pairs = _find_pairs(raw, self.table, findings)
        self.table.check_used([pair.path for pair in pairs])
        val = {pair.patient for pair in pairs if pair.phase == 'val'}
        train = {pair.patient for pair in pairs if pair.phase == 'train'}
        if both := sorted(val & train):
            raise InputError(
                f'{raw}: patient {both[0]!r} is in train and in val; such phases leak, '
                'name the patients in --targets or move the pictures out of phases'
            )
        if val:
            if self._val_is_chosen:
                raise InputError('--val-patients: pictures have a val phase already')
            self.partition.take_holdout(val)
        cases = dict(zip(name_by_path([p.path for p in pairs]), pairs, strict=True))
        tasks = [
            Task(
                name,
                pair.patient,
                pair.number,
                {'img': raw / pair.path, 'seg': raw / pair.label},
            )
            for name, pair in cases.items()
        ]
        return Plan(raw, tasks, findings, context=cases)

    def describe(self, plan: Plan) -> Mapping[str, Any]:
        """Facts for the manifest."""
        pairs: Mapping[str, _Pair] = plan.context
        return {
            'target': self.target,
            'channels': 1,
            'channel_names': ['grey'],
            # The fingerprint has to change with the table.
            'told_hash': hash_json(
                [[name, p.patient, dict(p.targets)] for name, p in pairs.items()]
            ),
        }

    def convert(self, task: Task) -> Sequence[Slice]:
        """Read one picture and its label."""
        path, label_path = task.sources['img'], task.sources['seg']
        if label_path.suffix.lower() != '.png':
            raise SourceError(
                label_path,
                'a label in JPEG, whose compression moves its border',
                'export it as PNG',
            )
        image, label = _read_grey(path), _read_grey(label_path)
        if image.shape != label.shape:
            raise SourceError(
                label_path,
                f'label of shape {label.shape} for a picture of {image.shape}',
                'export both alike',
            )
        facts = {'label_values': np.unique(label)[:8].tolist()}
        mask = (label > 0).astype(np.uint8)
        spacing = self.spacing
        return [
            Slice(task.name, task.patient_id, task.number, image, mask, spacing, facts)
        ]

    def accept(self, record: Record, plan: Plan) -> Mapping[str, Any]:
        """Targets, series and source."""
        pair: _Pair = plan.context[record.case_id]
        targets = {
            name: pair.targets.get(name) for name in ('anatomy', 'location', 'sequence')
        }
        return {
            'targets': {**targets, 'view': pair.plane},
            'series': pair.series,
            'source': pair.path.as_posix(),
        }

    def summarize(
        self, plan: Plan, records: Sequence[Record], cases: Sequence[Case]
    ) -> Mapping[str, Any]:
        """Labels that are not binary."""
        odd = [r.case_id for r in records if len(r.facts['label_values']) > 2]
        return {'labels_not_binary': odd}

    def format_facts(self, summary: Mapping[str, Any]) -> list[str]:
        """The same as text."""
        odd = summary['labels_not_binary']
        return [f'labels with more than two values, above 0 is inside: {len(odd)}']


def _find_pairs(root: Path, table: TargetTable, findings: list[Finding]) -> list[_Pair]:
    pictures = list_pictures(root)
    labels = {_mirror(path): path for path in pictures if _LABELS in path.parts[:-1]}
    images = [path for path in pictures if _IMAGES in path.parts[:-1]]
    if not images or not labels:
        raise InputError(
            f'{root}: no pictures in folders {_IMAGES!r} with labels in {_LABELS!r}; '
            'class folders are prepared by the subject picture-classes'
        )
    pairs, without, tests, unnamed = [], [], [], []
    for path in images:
        label = labels.pop(path.with_suffix(''), None)
        inner = PurePosixPath(*path.parts[path.parts.index(_IMAGES) + 1 :])
        phase = find_phase(inner)
        if label is None:
            without.append(path)
        elif phase == 'test':
            tests.append(path)
        else:
            pairs.append(_describe(path, label, phase, table))
            if pairs[-1].patient == _UNNAMED:
                unnamed.append(path)
    for paths, problem, remedy, skipped in (
        (without, 'picture(s) without a label picture', 'add them', True),
        ([*labels.values()], 'label(s) without a picture', 'add them', True),
        (tests, 'picture(s) of the test phase left out', 'prepare them alone', False),
        (
            unnamed,
            f'picture(s) without a subject are those of one person, {_UNNAMED!r}',
            'name them in the column patient of --targets',
            False,
        ),
    ):
        if paths:
            text = f'{len(paths)} {problem}, this is the first'
            findings.append(Finding(paths[0].as_posix(), text, remedy, skipped=skipped))
    return pairs


_UNNAMED = 'unnamed'


def _mirror(label: PurePosixPath) -> PurePosixPath:
    """Path without suffix of the picture that a label belongs to."""
    at = label.parts.index(_LABELS)
    return PurePosixPath(
        *label.parts[:at], _IMAGES, *label.parts[at + 1 :]
    ).with_suffix('')


def _describe(
    path: PurePosixPath, label: PurePosixPath, phase: str | None, table: TargetTable
) -> _Pair:
    named = {'location': find_location(path), 'sequence': find_sequence(path)}
    targets = {name: value for name, value in named.items() if value}
    patient = find_subject(path)
    for row in reversed(table.find(path)):
        targets |= row.targets
        patient = row.patient or patient
    words = re.split(r'[^a-z]+', path.as_posix().lower())
    planes = [plane for plane in PLANES if plane in words]
    number = re.search(r'(\d{1,9})\D*$', path.stem)
    return _Pair(
        path=path,
        label=label,
        phase=phase,
        patient=patient or _UNNAMED,
        series=path.parent.as_posix(),
        number=int(number[1]) if number else 0,
        targets=targets,
        plane=planes[0] if len(planes) == 1 else None,
    )


def _read_grey(path: Path) -> NDArray[np.uint8]:
    try:
        array = read_image(path)
    except (OSError, ValueError) as error:
        raise SourceError.from_reader(path, error) from error
    grey = squeeze_grey(array, _GREY_TOLERANCE)
    if grey is None or grey.dtype != np.uint8:
        what = 'in colour' if grey is None else '16 bits a pixel'
        raise SourceError(path, what, 'export it grey with 8 bits')
    return grey
