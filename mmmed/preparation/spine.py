"""Spinal cord MRI with masks of cord or lesions: to memory-mapped volumes."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmmed.files import hash_json
from mmmed.preparation.base import BasePreparer
from mmmed.preparation.findings import Finding, InputError
from mmmed.preparation.parts import Plan, Task
from mmmed.preparation.spine_conversion import (
    BITS,
    convert_image,
    describe_intensity,
)
from mmmed.preparation.spine_layouts import PATIENT_OF, RawImage, find_images
from mmmed.preparation.spine_storage import SEQUENCE, CordStorage
from mmmed.preparation.spine_summary import count_images, format_parts
from mmmed.preparation.spine_targets import TargetTable
from mmmed.preparation.summary import count_parts
from mmmed.preparation.volume_storage import VolumeItem, VolumeRecord
from mmmed.registry import PREPARERS
from mmmed.structures import VolumeCase
from mmmed.structures.spine_classes import ANATOMY, SERIES_TARGETS, SPINE_TARGETS
from mmmed.structures.volume import CANONICAL

TARGETS = ('cord', 'lesion')
UNMARKED = ('healthy', 'skip')
_TABLE = 'targets.csv'


@PREPARERS.register_module(name='spine')
class SpinePreparer(BasePreparer):
    """Preparer of spinal cord MRI, one case an image.

    Raw folder, told by its names: Spine Generic (BIDS: ``sub-*/anat/*_T2w.nii.gz`` with
    ``derivatives/labels/sub-*/anat/*_label-SC_seg.nii.gz``, ``*_seg-manual`` or
    ``*_lesion-manual``), the Spinal Cord Toolbox's folders (``t2/t2.nii.gz`` with
    ``t2_seg-manual``, ``t2_sc_seg``, ``t2_seg`` or ``t2_lesion_seg`` beside it), and
    trees of DICOM files, which have no masks. Other labels are counted and not read.

    Writes per image ``volumes/<case_id>/image.npy``, uint16, (Z, Y, X) in canonical
    orientation, ``seg.npy``, bits packed along X, and for lesions ``cord.npy``
    likewise. Nothing is resampled. Percentiles 1 and 99 of the voxels that are not 0
    become 1 and 65535, linearly and clipped; 0 stays 0.

    Images without the target's mask are cases without a mask: they serve the slice
    classifiers. All images of a person share a side and a fold.

    Args:
        target: What the masks show: ``'cord'`` or ``'lesion'``. For lesions an image
            needs a cord mask too.
        targets: CSV with the columns path (image or folder), anatomy, location,
            sequence, patient, which goes before what names say; None for
            ``targets.csv`` in the raw folder, or names only where there is none.
        patient_of: Who an image belongs to where nothing else says so: ``'subject'``
            (BIDS, PatientID; all others are one person) or ``'folder'``, the first.
        unmarked: What an image with a cord but without a lesion file is, with
            ``target='lesion'``: ``'healthy'`` or to be left out (``'skip'``).
        **options: See :class:`BasePreparer`.

    Source:
        Cohen-Adad et al. 2021, Sci Data 8:219 (Spine Generic); De Leener et al. 2017,
        NeuroImage 145:24 (Spinal Cord Toolbox). Layouts and names only.
    """

    name = 'spine'
    classes = ('background', 'cord')
    help = 'spinal cord MRI (Spine Generic, SCT, DICOM) with cord or lesion masks'
    storage = CordStorage()

    def __init__(
        self,
        *,
        target: str = 'cord',
        targets: str | Path | None = None,
        patient_of: str = 'subject',
        unmarked: str = 'healthy',
        **options: Any,
    ) -> None:
        super().__init__(**options)
        for option, value, known in (
            ('--target', target, TARGETS),
            ('--patient-of', patient_of, PATIENT_OF),
            ('--unmarked', unmarked, UNMARKED),
        ):
            if value not in known:
                raise InputError(f'{option} is {value!r}, expected one of {known}')
        self.target, self.patient_of, self.unmarked = target, patient_of, unmarked
        self.table = TargetTable() if targets is None else TargetTable.read(targets)
        self.classes = ('background', target)

    @classmethod
    def add_arguments(cls, add: Callable[..., Any]) -> None:
        """Options of the spine on the command line."""
        add('--target', choices=TARGETS, default='cord', help='what masks show (cord)')
        columns = 'path, anatomy, location, sequence, patient'
        add('--targets', metavar='CSV', help=f'what images show: {columns}')
        add(
            '--patient-of',
            choices=PATIENT_OF,
            default='subject',
            help='whose an image is: BIDS subject or PatientID (all others one '
            'person), or the first folder',
        )
        add(
            '--unmarked',
            choices=UNMARKED,
            default='healthy',
            help='what a cord without a lesion file is, for lesions (healthy)',
        )

    def conversion_options(self) -> Mapping[str, Any]:
        """The target decides which files there are."""
        return {'target': self.target}

    def discover(self, raw: Path) -> Plan:
        """Find all images and their masks; no voxel is read."""
        beside = raw / _TABLE
        inputs = []
        if self.table.file is None and beside.is_file():
            self.table = TargetTable.read(beside)
            inputs = [beside]
        images, findings = find_images(raw, self.table, patient_of=self.patient_of)
        if self.target == 'lesion':
            images = self._keep_corded(images, findings)
        return Plan(
            raw,
            [image.to_task() for image in images],
            findings,
            inputs=inputs,
            context={image.case_id: image for image in images},
        )

    def _keep_corded(
        self, images: Sequence[RawImage], findings: list[Finding]
    ) -> list[RawImage]:
        """Images with a cord mask, and a lesion mask or leave to do without."""
        kept, unmarked = [], []
        for image in images:
            if 'cord' not in image.masks:
                lesion = ' beside its lesion mask' if 'lesion' in image.masks else ''
                findings.append(
                    Finding(
                        image.path.as_posix(),
                        f'no cord mask{lesion}; left out',
                        'add one, such as *_label-SC_seg.nii.gz',
                    )
                )
                continue
            if 'lesion' not in image.masks:
                unmarked.append(image)
                if self.unmarked == 'skip':
                    continue
            kept.append(image)
        if unmarked:
            what = 'left out' if self.unmarked == 'skip' else 'taken as free of lesions'
            findings.append(
                Finding(
                    unmarked[0].path.as_posix(),
                    f'{len(unmarked)} image(s) with a cord and without a lesion file '
                    f'are {what}',
                    'choose with --unmarked',
                    skipped=False,
                )
            )
        return kept

    def describe(self, plan: Plan) -> Mapping[str, Any]:
        """Facts for the manifest, among them how to repeat the intensity rule."""
        images = plan.context.values()
        return {
            'unit': 'volume',
            'target': self.target,
            'targets': {name: list(SPINE_TARGETS[name]) for name in SERIES_TARGETS},
            'channels': 1,
            'channel_names': [SEQUENCE],
            'orientation': CANONICAL,
            'dtype': f'uint{BITS}',
            'intensity': describe_intensity(),
            'layouts': dict(sorted(Counter(i.layout for i in images).items())),
            # The fingerprint has to change with the table, wherever that lies.
            'told_hash': hash_json(
                [[i.case_id, i.patient_id, dict(i.targets)] for i in images]
            ),
        }

    def convert(self, task: Task) -> Sequence[VolumeItem]:
        """Read, check, orient and scale one image."""
        return [convert_image(task, self.target)]

    def accept(self, record: VolumeRecord, plan: Plan) -> Mapping[str, Any]:
        """Columns of the spine beside those of every volume."""
        image: RawImage = plan.context[record.case_id]
        targets = {name: image.targets.get(name) for name in SERIES_TARGETS}
        told_by = dict(image.told_by)
        facts = record.facts
        if targets['anatomy'] is None and facts['cord_voxels']:
            targets['anatomy'], told_by['anatomy'] = ANATOMY[0], 'cord mask'
        extra = {
            'targets': targets,
            'targets_from': told_by,
            'layout': image.layout,
            'lesion_pixels': facts['lesion_pixels'],
            'cord_voxels': facts['cord_voxels'],
            'source': {
                'image': image.path.as_posix(),
                **{
                    role: path.relative_to(plan.root).as_posix()
                    for role, path in image.masks.items()
                },
                'orientation': facts['orientation'],
                'range': facts['range'],
                'notes': facts.get('notes', []),
            },
        }
        if 'cord_pixels' in facts:
            extra['cord_pixels'] = facts['cord_pixels']
            extra['voxels_outside_cord'] = facts['voxels_outside_cord']
        return extra

    def stratify(self, records: Sequence[VolumeRecord]) -> dict[str, Any]:
        """Patients with and without foreground."""
        strata = {record.patient_id: 'negative' for record in records}
        filled = (r.patient_id for r in records if r.foreground_voxels)
        return strata | dict.fromkeys(filled, 'positive')

    def review(self, plan: Plan, cases: Sequence[VolumeCase]) -> Sequence[Finding]:
        """Empty masks, lesions outside the cord, and one image under two names."""
        findings = []
        first: dict[str, str] = {}
        for case in cases:
            source = case.extra['source']
            problems = []
            if case.extra['cord_voxels'] == 0:
                problems.append((source['cord'], 'the cord mask is empty'))
            if self.target == 'lesion' and 'lesion' in source and not case.positive:
                problems.append((source['lesion'], 'the lesion mask is empty'))
            if outside := case.extra.get('voxels_outside_cord'):
                problems.append(
                    (
                        source['lesion'],
                        f'{outside} of {case.foreground_voxels} lesion voxels lie '
                        'outside the cord mask; kept',
                    )
                )
            other = first.setdefault(case.sha256[SEQUENCE], case.case_id)
            if other != case.case_id:
                problems.append((source['image'], f'the same image as {other}'))
            findings += [
                Finding(path, problem, 'see whether it is right', skipped=False)
                for path, problem in problems
            ]
        return findings

    def count(self, cases: Sequence[VolumeCase]) -> Mapping[str, Any]:
        """Images, masks and targets of each part."""
        return count_parts(cases, self.partition.num_folds, count_images)

    def format_counts(self, summary: Mapping[str, Any]) -> list[str]:
        """Table of :meth:`count`."""
        return format_parts(summary)

    def summarize(
        self, plan: Plan, records: Sequence[VolumeRecord], cases: Sequence[VolumeCase]
    ) -> Mapping[str, Any]:
        """The table, odd and empty masks, and lesions outside the cord."""
        outside = {
            c.case_id: c.extra['voxels_outside_cord']
            for c in cases
            if c.extra.get('voxels_outside_cord')
        }
        odd = {
            r.case_id: r.facts['mask_values'] for r in records if r.facts['mask_values']
        }
        empty = [c.case_id for c in cases if c.positive is False]
        table = self.table.file
        return {
            'targets_file': table.name if table else None,
            'mask_values': odd,
            'empty_masks': empty,
            'voxels_outside_cord': outside,
        }

    def format_facts(self, summary: Mapping[str, Any]) -> list[str]:
        """The same as text lines."""
        lines = [
            f'targets are told by {summary.get("targets_file") or "names alone"}',
            f'empty {self.target} masks: {len(summary["empty_masks"])}',
        ]
        if odd := summary['mask_values']:
            name, values = next(iter(odd.items()))
            lines.append(
                f'masks with more than two values: {len(odd)}, first {name} with '
                f'{values}; whatever is above 0 is inside, of shares up to 1 what is '
                'at least 0.5'
            )
        if outside := summary['voxels_outside_cord']:
            lines.append(f'lesion voxels outside the cord: {sum(outside.values())}')
        return lines
