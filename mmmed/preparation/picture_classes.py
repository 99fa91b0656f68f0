"""Pictures in class folders, such as RadImageNet: to a manifest of slices."""

import csv
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.files import hash_json
from mmmed.io import read_image
from mmmed.io.png import squeeze_grey
from mmmed.preparation.base import BasePreparer
from mmmed.preparation.case_names import name_by_path
from mmmed.preparation.findings import Finding, InputError, SourceError
from mmmed.preparation.parts import Plan, Record, Slice, Task
from mmmed.preparation.picture_layouts import (
    RawPicture,
    find_patients,
    find_pictures,
    read_picture_table,
)
from mmmed.preparation.picture_storage import PictureStorage
from mmmed.registry import PREPARERS
from mmmed.structures import Case
from mmmed.structures.spine_classes import SPINE_TARGETS

# What JPEG and conversions between colour spaces leave of equal channels.
_GREY_TOLERANCE = 8
_LUMA = (0.299, 0.587, 0.114)


@PREPARERS.register_module(name='picture-classes')
class PictureClassPreparer(BasePreparer):
    """Preparer of pictures that have a class and no label map.

    Raw folder: ``CLASS/*.png``, ``train/CLASS/*.png`` with ``val`` beside it, or, as in
    RadImageNet, ``MODALITY/ANATOMY/CLASS/*.png``; or any pictures and a table. Writes
    8-bit grey PNG; colour becomes luma and is counted. Class names are the paths of
    their folders in alphabetical order, so that RadImageNet has its 165.

    Patients: by ``patient_pattern`` or the table's column. Without either every
    picture is a person of its own, the split is by file and may leak, and the summary
    says so.

    Args:
        target: Name of the question that the classes answer.
        levels: Only the first so many folders make the class; None for all.
        table: CSV with the columns path, class and, if known, patient and phase.
        patient_pattern: Regular expression, searched in the path of each picture.
        join: CSV with the columns folder and class: all classes at or below a folder
            become one, such as ``MR/spine,spine``. The longest folder counts, and
            every class needs one.
        **options: See :class:`BasePreparer`. Where pictures have phases, ``val`` is
            the hold-out and ``test`` is left out.

    Source:
        Mei et al. 2022, Radiology AI 4(5):e210315 (RadImageNet). Folder layout only.
    """

    name = 'picture-classes'
    classes = ('background', 'foreground')
    help = 'pictures in class folders (RadImageNet), for classifiers of slices'
    storage = PictureStorage()

    def __init__(
        self,
        *,
        target: str = 'class',
        levels: int | None = None,
        table: str | Path | None = None,
        patient_pattern: str | None = None,
        join: str | Path | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._val_is_chosen = bool(self.partition.val_patients)
        if not target.isidentifier():
            raise InputError(f'--target is {target!r}, expected a plain name')
        if levels is not None and levels < 1:
            raise InputError(f'--levels is {levels}, expected 1 or more')
        self.target, self.levels = target, levels
        self.table = None if table is None else Path(table)
        self.patient_pattern = patient_pattern
        self._labels: dict[str, str] = {}
        self.joined = {} if join is None else _read_joined(Path(join))

    @classmethod
    def add_arguments(cls, add: Callable[..., Any]) -> None:
        """Options of class folders on the command line."""
        add('--target', default='class', metavar='NAME', help='what classes answer')
        add('--levels', type=int, metavar='N', help='folders that make the class (all)')
        add('--table', metavar='CSV', help='path, class, patient, phase of pictures')
        add('--patient-pattern', metavar='REGEX', help='patient within the path')
        add('--join', metavar='CSV', help='folder and class: join classes')

    def discover(self, raw: Path) -> Plan:
        """Find all pictures; none is opened."""
        findings: list[Finding] = []
        if self.table is None:
            pictures = find_pictures(raw, levels=self.levels)
        else:
            pictures, findings = read_picture_table(raw, self.table)
        if self.joined:
            pictures = [replace(p, label=self._rename(p.label)) for p in pictures]
        pictures, told_by = find_patients(pictures, self.patient_pattern)
        pictures = self._take_phases(pictures, findings)
        if told_by == 'files':
            findings.append(
                Finding(
                    '.',
                    'NO PATIENTS ARE KNOWN: the split is by file and may leak, since '
                    'pictures of one person can be on both sides',
                    'say --patient-pattern, or name them in a --table',
                    skipped=False,
                )
            )
        names = name_by_path([picture.path for picture in pictures])
        cases = dict(zip(names, pictures, strict=True))
        self._labels = {name: one.label for name, one in cases.items()}
        tasks = [
            Task(name, str(one.patient), 0, {'img': raw / one.path})
            for name, one in cases.items()
        ]
        return Plan(raw, tasks, findings, context=(cases, told_by))

    def _rename(self, label: str) -> str:
        path = PurePosixPath(label)
        for folder in (path, *path.parents):
            if folder in self.joined:
                return self.joined[folder]
        raise InputError(f'--join: no line for the class {label!r}')

    def _take_phases(
        self, pictures: Sequence[RawPicture], findings: list[Finding]
    ) -> list[RawPicture]:
        """Pictures but those of the test phase; a val phase is the hold-out."""
        kept = [p for p in pictures if p.phase != 'test']
        if len(kept) < len(pictures):
            findings.append(
                Finding(
                    next(p.path for p in pictures if p.phase == 'test').as_posix(),
                    f'{len(pictures) - len(kept)} picture(s) of the test phase are '
                    'left out',
                    'prepare that folder alone to test on it',
                    skipped=False,
                )
            )
        val = {str(p.patient) for p in kept if p.phase == 'val'}
        train = {str(p.patient) for p in kept if p.phase == 'train'}
        if both := sorted(val & train):
            raise InputError(
                f'patient {both[0]!r} ({len(both)} in all) is in train and in val; '
                'such phases leak, divide by patient instead'
            )
        if val:
            if self._val_is_chosen:
                raise InputError(
                    '--val-patients: the pictures have a val phase already'
                )
            self.partition.take_holdout(val)
        return kept

    def describe(self, plan: Plan) -> Mapping[str, Any]:
        """Facts for the manifest: a classification, its target and classes."""
        cases, told_by = plan.context
        found = {picture.label for picture in cases.values()}
        known = SPINE_TARGETS.get(self.target, ())
        names = list(known) if found <= set(known) else sorted(found)
        return {
            'task': 'classification',
            'targets': {self.target: names},
            'channels': 1,
            'channel_names': ['grey'],
            'patients_told_by': told_by,
            # The fingerprint has to change with tables, joined classes and patterns.
            'told_hash': hash_json(
                [[name, str(p.patient), p.label] for name, p in cases.items()]
            ),
        }

    def convert(self, task: Task) -> Sequence[Slice]:
        """Read one picture and make it grey."""
        path = task.sources['img']
        try:
            array = read_image(path)
        except (OSError, ValueError) as error:
            raise SourceError.from_reader(path, error) from error
        if array.dtype != np.uint8:
            raise SourceError(path, '16 bits a pixel', 'export it with 8')
        grey = squeeze_grey(array, _GREY_TOLERANCE)
        facts = {'is_color': grey is None}
        if grey is None:
            grey = _to_luma(array)
        label = np.zeros((0, 0), np.uint8)  # the storage has one for all
        return [Slice(task.name, task.patient_id, 0, grey, label, None, facts)]

    def accept(self, record: Record, plan: Plan) -> Mapping[str, Any]:
        """Class by name, and the source."""
        picture: RawPicture = plan.context[0][record.case_id]
        source = picture.path.as_posix()
        return {'targets': {self.target: picture.label}, 'source': source}

    def stratify(self, records: Sequence[Record]) -> dict[str, Any]:
        """The commonest class of each patient, of equals the first by name."""
        labels: dict[str, Counter[str]] = {}
        for record in records:
            counts = labels.setdefault(record.patient_id, Counter())
            counts[self._labels[record.case_id]] += 1
        return {
            patient: min(counts, key=lambda name: (-counts[name], name))
            for patient, counts in labels.items()
        }

    def summarize(
        self, plan: Plan, records: Sequence[Record], cases: Sequence[Case]
    ) -> Mapping[str, Any]:
        """Pictures of each class on each side, and how many were in colour."""
        counts = {
            side: dict(
                sorted(
                    Counter(
                        c.extra['targets'][self.target]
                        for c in cases
                        if c.split == side
                    ).items()
                )
            )
            for side in ('train', 'val')
        }
        colored = sum(record.facts['is_color'] for record in records)
        return {'classes': counts, 'colored': colored}

    def format_facts(self, summary: Mapping[str, Any]) -> list[str]:
        """Classes and colour as text lines."""
        train, val = summary['classes']['train'], summary['classes']['val']
        names = sorted(train.keys() | val.keys())
        lines = [f'{len(names)} class(es), train + val:']
        lines += [f'  {n}: {train.get(n, 0)} + {val.get(n, 0)}' for n in names[:40]]
        if len(names) > 40:
            lines.append(f'  ... and {len(names) - 40} more, all in summary.json')
        if summary['colored']:
            lines.append(f'in colour, made grey: {summary["colored"]}')
        return lines


def _to_luma(array: NDArray) -> NDArray[np.uint8]:
    """Grey of a colour picture as ITU-R BT.601 weighs its channels."""
    return np.rint(array @ np.asarray(_LUMA)).astype(np.uint8)


def _read_joined(file: Path) -> dict[PurePosixPath, str]:
    try:
        with file.open(encoding='utf-8-sig', newline='') as stream:
            reader = csv.DictReader(stream, strict=True)
            if set(reader.fieldnames or ()) != {'folder', 'class'}:
                raise InputError(f'{file}: expected the columns folder and class')
            rows = [(row['folder'] or '', row['class'] or '') for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f'{file}: cannot be read ({error})') from error
    if not all(folder.strip() and name.strip() for folder, name in rows):
        raise InputError(f'{file}: a line lacks folder or class')
    return {PurePosixPath(folder.strip()): name.strip() for folder, name in rows}
