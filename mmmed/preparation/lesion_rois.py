"""Lesions in several sequences, to be classified: preparer of regions of interest."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmmed.functional.sequence_scale import choose_rule, parse_rule
from mmmed.preparation.base import BasePreparer
from mmmed.preparation.findings import Finding, InputError
from mmmed.preparation.lld_mmri import find_lld
from mmmed.preparation.parts import Plan, Task
from mmmed.preparation.roi_conversion import ROIOptions, convert_roi
from mmmed.preparation.roi_layouts import find_annotated, find_masked
from mmmed.preparation.roi_review import (
    review_sequences,
    review_targets,
    review_windows,
)
from mmmed.preparation.roi_sources import ROILayout, ROISource
from mmmed.preparation.roi_storage import ROIItem, ROIRecord, ROIStorage
from mmmed.preparation.roi_tables import count_rois, count_sequences, format_rois
from mmmed.preparation.split_roles import TRAIN_RATIO, draw_validation
from mmmed.registry import PREPARERS
from mmmed.structures import ROICase
from mmmed.structures.volume import CANONICAL

_LAYOUTS = ('auto', 'annotated', 'masks', 'lld-mmri')


@PREPARERS.register_module(name='lesion-rois')
class LesionROIPreparer(BasePreparer):
    """Preparer of lesions with class labels, in sequences that may be missing.

    Raw folder, found by looking (``layout``): ``<case>_lesion0_17.3mm/`` with
    ``annotations.json`` and crops; ``<case>/`` with ``annotations.json`` and whole
    volumes; ``<case>/`` with volumes and ``<sequence>_mask`` files and a table of
    labels; LLD-MMRI as published. ``classes.json`` in the folder names classes.

    Writes ``rois/<case_id>/<sequence>.npy``, (Z, Y, X) in canonical orientation with
    the values of the file; how they become the network's scale is a rule by sequence
    in the manifest, with what it needs to know measured. Every fold has patients to
    train, validate and test on.

    Args:
        layout: One of ``auto``, ``annotated``, ``masks``, ``lld-mmri``.
        targets: Entries of annotations that are targets; all by default.
        sequences: Which, and in this order; all by default.
        size: (Z, Y, X) voxels for all sequences.
        spacing_mm: (Z, Y, X) to resample to; with ``size`` one grid around the lesion,
            ``size`` alone stretches each crop.
        most_slices: Of a crop from a volume, odd; 0 for no limit.
        normalize: Rules such as ``'adc=window:0:3000'``; see
            :mod:`mmmed.functional.sequence_scale`.
        labels_csv: Labels of volumes with masks.
        mask_labels: ``'qsm=9,10'``: labels that are the lesion.
        patient_pattern: Regular expression with a group ``patient``.
        train_ratio: Share of the patients outside a fold that is trained on there.
        **options: See :class:`BasePreparer`.
    """

    name = 'lesion-rois'
    classes: tuple[str, ...] = ()
    help = 'lesions in several sequences with class labels'
    storage = ROIStorage()

    def __init__(
        self,
        *,
        layout: str = 'auto',
        targets: Sequence[str] = (),
        sequences: Sequence[str] = (),
        size: Sequence[int] | None = None,
        spacing_mm: Sequence[float] | None = None,
        most_slices: int = 9,
        normalize: Sequence[str] = (),
        labels_csv: str | None = None,
        mask_labels: Sequence[str] = (),
        patient_pattern: str | None = None,
        train_ratio: float = TRAIN_RATIO,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if layout not in _LAYOUTS:
            raise InputError(f'--layout is {layout!r}, expected one of {_LAYOUTS}')
        if not 0 < train_ratio < 1:
            raise InputError(f'--train-ratio is {train_ratio}, expected in (0, 1)')
        if most_slices and most_slices % 2 == 0:
            raise InputError(f'--most-slices is {most_slices}, expected odd, or 0')
        try:
            self.rules = dict(parse_rule(text) for text in normalize)
        except ValueError as error:
            raise InputError(f'--normalize {error}') from error
        self.layout = layout
        self.targets = tuple(targets)
        self.sequences = tuple(sequences)
        self.labels_csv = labels_csv
        self.patient_pattern = patient_pattern
        self.train_ratio = train_ratio
        self.options = ROIOptions(
            _read_triple('--size', size, int),
            _read_triple('--spacing-mm', spacing_mm, float),
            most_slices or None,
            {n: r['low'] for n, r in self.rules.items() if r['rule'] == 'window'},
            dict(map(_read_mask_labels, mask_labels)),
        )
        self.found: dict[str, ROISource] = {}
        self.class_names: dict[str, list[str]] = {}

    @classmethod
    def add_arguments(cls, add: Callable[..., Any]) -> None:
        """Options of lesions on the command line."""
        add('--layout', choices=_LAYOUTS, default='auto', help='of RAW (auto)')
        add('--targets', nargs='+', default=(), metavar='NAME', help='labels to keep')
        add(
            '--sequences', nargs='+', default=(), metavar='NAME', help='and their order'
        )
        text = 'voxels of all sequences; with --spacing-mm one grid around the lesion'
        add('--size', nargs=3, type=int, metavar=('Z', 'Y', 'X'), help=text)
        text = 'voxel size to resample to; without it voxels are kept'
        add('--spacing-mm', nargs=3, type=float, metavar=('Z', 'Y', 'X'), help=text)
        add('--most-slices', type=int, default=9, help='of a crop, odd, 0 all (9)')
        text = (
            'scale of a sequence: zscore, percentile:1:99, window:0:3000, minmax, none'
        )
        add('--normalize', nargs='+', default=(), metavar='SEQ=RULE', help=text)
        add('--labels-csv', metavar='FILE', help='case and labels, for masks')
        add('--mask-labels', nargs='+', default=(), metavar='SEQ=9,10', help='in masks')
        add('--patient-pattern', metavar='REGEX', help='with a group (?P<patient>...)')
        text = f'share trained on of those not tested in a fold ({TRAIN_RATIO})'
        add('--train-ratio', type=float, default=TRAIN_RATIO, help=text)

    def conversion_options(self) -> Mapping[str, Any]:
        """Whatever changes voxels, and where a lesion is."""
        places = {
            name: [
                s.is_cropped,
                sorted(s.centers_lps.items()),
                sorted(s.boxes.items()),
                s.size_mm,
            ]
            for name, s in self.found.items()
        }
        return {**self.options.to_dict(), 'places': places}

    def discover(self, raw: Path) -> Plan:
        """Find the layout and its lesions."""
        layout = self._find_layout(raw)
        sources = [self._choose_sequences(source) for source in layout.sources]
        findings = list(layout.findings)
        kept = []
        for source in sources:
            if source.files:
                kept.append(source)
                continue
            text = f'no image of {", ".join(self.sequences)}'
            findings.append(Finding(source.case_id, text, 'choose other --sequences'))
        seen: dict[str, ROISource] = {}
        for source in kept:
            if source.case_id.casefold() in seen:
                text = 'two lesions have this name; the second is left out'
                findings.append(Finding(source.case_id, text, 'rename its folder'))
                continue
            seen[source.case_id.casefold()] = source
        self.found = {source.case_id: source for source in seen.values()}
        for name in layout.ignored:
            text = f'entry {name!r} of annotations holds no class indices'
            findings.append(Finding('.', text, 'correct it if it is a target', False))
        self.class_names = self._name_classes(layout)
        tasks = [source.to_task() for source in self.found.values()]
        return Plan(raw, tasks, findings, layout.inputs, context=layout)

    def _find_layout(self, raw: Path) -> ROILayout:
        wish = self.layout
        if wish in ('auto', 'lld-mmri'):
            layout = find_lld(raw)
            if layout is not None:
                return layout
        shared: dict[str, Any] = {
            'targets': self.targets,
            'patient_pattern': self.patient_pattern,
        }
        if wish == 'annotated' or (
            wish == 'auto' and any(raw.glob('*/annotations.json'))
        ):
            return find_annotated(raw, **shared)
        table = None if self.labels_csv is None else Path(self.labels_csv).resolve()
        if wish == 'masks' or (wish == 'auto' and any(raw.glob('*/*_mask.*'))):
            return find_masked(raw, labels_csv=table, **shared)
        raise InputError(
            f'{raw}: no folder has an annotations.json or masks, and it is not '
            'LLD-MMRI; name the folder that holds the folders of the cases'
        )

    def _choose_sequences(self, source: ROISource) -> ROISource:
        if not self.sequences:
            return source
        files = {n: source.files[n] for n in self.sequences if n in source.files}
        masks = {n: path for n, path in source.masks.items() if n in files}
        return dataclasses.replace(source, files=files, masks=masks or source.masks)

    def convert(self, task: Task) -> Sequence[ROIItem]:
        """Arrays of one lesion."""
        return [convert_roi(self.found[task.name], self.options)]

    def takes_part(self, task: Task) -> bool:
        """Lesions without labels of the published set are nobody's to train on."""
        return not self.found[task.name].is_test

    def describe(self, plan: Plan) -> Mapping[str, Any]:
        """Facts for the manifest."""
        sequences = self._list_sequences()
        unknown = sorted(set(self.rules) - set(sequences))
        if unknown:
            raise InputError(
                f'--normalize names {unknown[0]!r}; there are {", ".join(sequences)}'
            )
        rules = {n: self.rules.get(n) or choose_rule(n) for n in sequences}
        return {
            'task': 'classification',
            'unit': 'roi',
            'layout': plan.context.name,
            'sequences': sequences,
            'channels': len(sequences),
            'targets': self.class_names,
            'normalisation': rules,
            'orientation': CANONICAL,
            'train_ratio': self.train_ratio,
            **self.options.to_dict(),
        }

    def _list_sequences(self) -> list[str]:
        if self.sequences:
            return list(self.sequences)
        # Those that have most first: where some lack a sequence, the order stays.
        fullest = sorted(self.found.values(), key=lambda s: -len(s.files))
        return list(dict.fromkeys(n for s in fullest for n in s.files))

    def _name_classes(self, layout: ROILayout) -> dict[str, list[str]]:
        """Class names of each target: given ones, else their numbers up to the largest.

        A number that nobody has is a class all the same: labels {0, 2} are three.
        """
        names = dict.fromkeys(n for s in self.found.values() for n in s.targets)
        targets = {}
        for name in names:
            labels = [s.targets.get(name) for s in self.found.values()]
            count = max((label + 1 for label in labels if label is not None), default=0)
            given = list(layout.classes.get(name, []))
            if given and len(given) < count:
                raise InputError(
                    f'classes.json: {len(given)} classes of {name!r}, but there is a '
                    f'label {count - 1}; name them all'
                )
            if count or given:
                targets[name] = given or [str(index) for index in range(count)]
        if not targets:
            raise InputError('no lesion has a label; check --targets and --labels-csv')
        return targets

    def accept(self, record: ROIRecord, plan: Plan) -> Mapping[str, Any]:
        """Labels, and columns beside those of every lesion."""
        source = self.found[record.case_id]
        facts = dict(record.facts)
        files = {
            n: p.relative_to(plan.root).as_posix() for n, p in source.files.items()
        }
        lost = {'lost': facts['lost']} if 'lost' in facts else {}
        return {
            'targets': {name: source.targets.get(name) for name in self.class_names},
            'intensity': facts['intensity'],
            'padded': facts['padded'],
            'source': {'files': files, 'centers_mm': facts['centers_mm'], **lost},
            **source.facts,
        }

    def stratify(self, records: Sequence[ROIRecord]) -> dict[str, Any]:
        """One row of labels for each lesion of a patient."""
        strata: dict[str, list[tuple[str, ...]]] = {}
        for record in records:
            source = self.found[record.case_id]
            if not source.is_test:
                row = tuple(str(source.targets.get(name)) for name in self.class_names)
                strata.setdefault(record.patient_id, []).append(row)
        return strata

    def place_cases(
        self, cases: Sequence[ROICase], strata: Mapping[str, Any]
    ) -> Sequence[ROICase]:
        """Draw whom each fold validates on."""
        folds = {c.patient_id: c.fold for c in cases if c.fold is not None}
        divided = {patient: strata[patient] for patient in strata if patient in folds}
        held = draw_validation(
            divided,
            {patient: folds[patient] for patient in divided},
            num_folds=self.partition.num_folds,
            seed=self.partition.seed,
            train_ratio=self.train_ratio,
        )
        return [
            dataclasses.replace(case, val_of=held.get(case.patient_id, ()))
            for case in cases
        ]

    def review(self, plan: Plan, cases: Sequence[ROICase]) -> Sequence[Finding]:
        """Sequences that were lost or look wrong, and targets that say little."""
        rules = {n: self.rules.get(n) or choose_rule(n) for n in self._list_sequences()}
        return [
            *review_sequences(cases),
            *review_windows(cases, rules),
            *review_targets(cases, list(self.class_names)),
        ]

    def count(self, cases: Sequence[ROICase]) -> Mapping[str, Any]:
        """Lesions of every class in each part."""
        return count_rois(cases, self.class_names, self.partition.num_folds)

    def format_counts(self, summary: Mapping[str, Any]) -> list[str]:
        """Table of :meth:`count`."""
        return format_rois(summary)

    def summarize(
        self, plan: Plan, records: Sequence[ROIRecord], cases: Sequence[ROICase]
    ) -> Mapping[str, Any]:
        """Lesions that have each sequence."""
        return {'sequences': count_sequences(cases, self._list_sequences())}

    def format_facts(self, summary: Mapping[str, Any]) -> list[str]:
        """Sequences as a text line."""
        found = ', '.join(f'{name} {n}' for name, n in summary['sequences'].items())
        return [f'lesions with each sequence: {found}']


def _read_triple(name: str, value: Sequence[Any] | None, kind: type) -> Any:
    if value is None:
        return None
    triple = tuple(kind(v) for v in value)
    if len(triple) != 3 or not all(0 < v < 10_000 for v in triple):
        raise InputError(f'{name} {list(value)}, expected three numbers > 0 (Z Y X)')
    return triple


def _read_mask_labels(text: str) -> tuple[str, list[int]]:
    name, _, numbers = text.partition('=')
    try:
        return name, [int(number) for number in numbers.split(',')]
    except ValueError:
        raise InputError(f'--mask-labels {text!r}, expected such as qsm=9,10') from None
