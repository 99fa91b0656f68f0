"""LabelledVolumePreparer: what all preparers of labelled 3-D volumes share.

Not here: which files belong together (``decathlon_layout``, ``organ_sources``), what
labels become (``label_transfer``).
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.io import read_volume
from mmmed.io.chunked import encode_chunked
from mmmed.preparation.base import BasePreparer
from mmmed.preparation.findings import Finding, InputError, SourceError
from mmmed.preparation.foreground_intensity import describe_foreground, pool_foreground
from mmmed.preparation.label_transfer import compact_values, transfer_labels
from mmmed.preparation.labelled_case import LabelledCase
from mmmed.preparation.labelled_counts import (
    count_labelled,
    format_labelled,
    rank_strata,
    sum_volumes,
)
from mmmed.preparation.parts import Plan, Task
from mmmed.preparation.volume_storage import ChunkedStorage, VolumeItem, VolumeRecord
from mmmed.structures import Volume, VolumeCase
from mmmed.structures.volume import CANONICAL

# Axes of more voxels than this and of exactly 1 mm are wider than any scanner's bore:
# the header has lost the voxel size.
_WIDE = 500
_GRID_MM = 1e-2


class LabelledVolumePreparer(BasePreparer):
    """Preparer of scans with label maps on the same voxels.

    Writes per case ``volumes/<case_id>/<sequence>.b2nd``, (Z, Y, X) in canonical
    orientation with the values of the file, and ``seg.b2nd``, class numbers.

    Args:
        spacing_mm: (Z, Y, X) to resample to, in canonical orientation: images
            linearly, labels by the largest share; None keeps every voxel.
        trust_image_grid: Give a label map of the image's shape the image's geometry
            where the two disagree, instead of leaving the case out.
        **options: See :class:`BasePreparer`.
    """

    storage = ChunkedStorage()
    channel_names: tuple[str, ...] = ('img',)
    is_hu = False
    """Whether values are CT numbers, which stay whole when they are interpolated."""

    def __init__(
        self,
        *,
        spacing_mm: Sequence[float] | None = None,
        trust_image_grid: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if spacing_mm is not None:
            spacing_mm = [float(value) for value in spacing_mm]
            if len(spacing_mm) != 3 or not all(0 < v < 1e3 for v in spacing_mm):
                raise InputError(
                    f'--spacing-mm {spacing_mm}, expected three mm > 0 (Z Y X)'
                )
        self.spacing_mm = spacing_mm
        self.trust_image_grid = trust_image_grid
        self.cases: dict[str, LabelledCase] = {}

    @classmethod
    def add_arguments(cls, add: Callable[..., Any]) -> None:
        """Options of labelled volumes on the command line."""
        size = 'voxel size to resample to, in mm; without it every voxel is kept'
        add('--spacing-mm', nargs=3, type=float, metavar=('Z', 'Y', 'X'), help=size)
        trust = 'geometry of a label map that disagrees with its image is ignored'
        add('--trust-image-grid', action='store_true', help=trust)
        add(
            '--folds-on',
            choices=('all', 'train'),
            default='all',
            help='whom folds divide: all (default), or the training side only',
        )

    def conversion_options(self) -> Mapping[str, Any]:
        """Whatever changes voxels."""
        return {
            'classes': list(self.classes),
            'channel_names': list(self.channel_names),
            'spacing_mm': self.spacing_mm,
            'trust_image_grid': self.trust_image_grid,
            'labels': {  # one source has one meaning of its numbers
                case.source: [sorted(case.classes.items()), sorted(case.ignored)]
                for case in self.cases.values()
            },
        }

    def plan(self, raw: Path, cases: Sequence[LabelledCase], **rest: Any) -> Plan:
        """Plan of the cases that were found; remembers them for :meth:`convert`.

        Raises:
            InputError: The package that writes chunks is not installed.
        """
        try:
            encode_chunked(np.zeros(1, np.uint8))
        except ImportError as error:  # before hours of work, not after
            raise InputError(str(error)) from error
        self.cases = {case.case_id: case for case in cases}
        return Plan(raw, [case.to_task() for case in cases], context=self.cases, **rest)

    def describe(self, plan: Plan) -> Mapping[str, Any]:
        """Facts for the manifest."""
        return {
            'unit': 'volume',
            'channels': len(self.channel_names),
            'channel_names': list(self.channel_names),
            'orientation': CANONICAL,
            'spacing_mm': self.spacing_mm,
        }

    def describe_records(self, records: Sequence[VolumeRecord]) -> Mapping[str, Any]:
        """Intensities under the labels, of all cases together."""
        foreground = {
            name: pool_foreground(
                [
                    r.facts['foreground'][name]
                    for r in records
                    if 'foreground' in r.facts
                ]
            )
            for name in self.channel_names
        }
        unit = 'HU' if self.is_hu else None
        intensity = {'rule': 'stored', 'unit': unit, 'foreground': foreground}
        return {'intensity': intensity}

    def convert(self, task: Task) -> Sequence[VolumeItem]:
        """Read, check, orient and, if wished, resample one case."""
        case = self.cases[task.name]
        image = _read(case.image, None)
        number = 1 if image.array.ndim == 3 else len(image.array)
        if number != len(self.channel_names):
            raise SourceError(
                case.image,
                f'{number} channel(s), expected {len(self.channel_names)} '
                f'({", ".join(self.channel_names)})',
                'fetch it again, or choose one channel or time point',
            )
        facts: dict[str, Any] = {
            'orientation': image.orientation,
            'shape': list(image.shape),
            'spacing': list(image.spacing),
            'lost_spacing': has_lost_spacing(image),
        }
        mask = None
        if case.label is not None:
            mask = self._read_labels(case, image, facts).reorient()
        image = image.reorient()
        if self.spacing_mm is not None:
            image = image.resample(self.spacing_mm)
            mask = mask and mask.resample(self.spacing_mm, labels=True, mode='linear')
        channels = self._split_channels(case, image)
        facts['range'] = [
            [float(array.min()), float(array.max())] for array in channels.values()
        ]
        if mask is not None:
            facts['foreground'] = {
                name: describe_foreground(array, mask.array > 0)
                for name, array in channels.items()
            }
            counts = np.bincount(mask.array.ravel(), minlength=len(self.classes))
            facts['label_voxels'] = counts.tolist()
            self.check_labels(case, facts['label_voxels'])
        return [
            VolumeItem(
                case.case_id,
                case.patient_id,
                channels,
                None if mask is None else mask.array,
                image.spacing,
                image.grid,
                facts,
            )
        ]

    def _read_labels(
        self, case: LabelledCase, image: Volume, facts: dict[str, Any]
    ) -> Volume:
        assert case.label is not None
        seg = _read(case.label, 3)
        facts['label_shift_mm'] = 0.0
        try:
            image.check_grid(seg, tolerance_mm=_GRID_MM)
        except ValueError as error:
            if image.shape != seg.shape or not self.trust_image_grid:
                raise SourceError(case.label, *_explain_grid(image, seg)) from error
            facts['label_shift_mm'] = _measure_shift(image, seg)
        try:
            labels = transfer_labels(seg.array, case.classes, ignored=case.ignored)
        except ValueError as error:
            raise SourceError(case.label, str(error), 'fetch it again') from error
        return Volume(labels, image.spacing, image.affine)

    def _split_channels(self, case: LabelledCase, image: Volume) -> dict[str, NDArray]:
        arrays = image.array if image.array.ndim == 4 else image.array[None]
        is_rounded = self.is_hu and self.spacing_mm is not None
        channels = {}
        for name, array in zip(self.channel_names, arrays, strict=True):
            if array.min() == array.max():
                problem = f'all voxels of {name} have the value {array.flat[0]}'
                raise SourceError(case.image, problem, 'fetch it again')
            try:
                channels[name] = compact_values(array, is_rounded=is_rounded)
            except ValueError as error:
                raise SourceError(case.image, str(error), 'rescale it') from error
        return channels

    def check_labels(self, case: LabelledCase, label_voxels: Sequence[int]) -> None:
        """Refuse a case by its voxels a class; nothing is refused here.

        Raises:
            SourceError: The case is not usable.
        """
        return

    def takes_part(self, task: Task) -> bool:
        """Cases without labels are nobody's training or validation."""
        return 'seg' in task.sources

    def accept(self, record: VolumeRecord, plan: Plan) -> Mapping[str, Any]:
        """Columns beside those of every volume."""
        case: LabelledCase = plan.context[record.case_id]
        facts = record.facts
        source = {
            'name': case.source,
            'img': case.image.relative_to(plan.root).as_posix(),
            'orientation': facts['orientation'],
            'shape': facts['shape'],
            'spacing': facts['spacing'],
            'range': facts['range'],
        }
        if facts['lost_spacing']:
            source['lost_spacing'] = True
        if case.label is not None:
            source['seg'] = case.label.relative_to(plan.root).as_posix()
            source['label_shift_mm'] = facts['label_shift_mm']
        columns = {'label_voxels': facts.get('label_voxels'), 'source': source}
        if 'foreground' in facts:
            columns['foreground_intensity'] = {
                name: part and {k: part[k] for k in ('voxels', 'mean', 'std')}
                for name, part in facts['foreground'].items()
            }
        return {**columns, **case.facts}

    def stratify(self, records: Sequence[VolumeRecord]) -> dict[str, Any]:
        """Ranks of labelled volume: small to large in up to four groups."""
        volumes = sum_volumes(records, range(1, len(self.classes)))
        return {**rank_strata(volumes, self.partition.num_folds)}

    def review(self, plan: Plan, cases: Sequence[VolumeCase]) -> Sequence[Finding]:
        """Cases that were kept, but should be looked at."""
        findings = []
        for case in cases:
            source = case.extra['source']
            if case.positive is False:
                text = 'the label map is empty; kept as a case without foreground'
                remedy = 'see whether the file is damaged'
                findings.append(Finding(source['seg'], text, remedy, skipped=False))
            if source.get('lost_spacing'):
                text = (
                    f'a voxel size of exactly 1 mm for {source["shape"]} voxels '
                    '(Z, Y, X): its header seems to have lost the geometry'
                )
                remedy = (
                    'fetch the original, or set its voxel size; sizes in mm are off'
                )
                findings.append(Finding(source['img'], text, remedy, skipped=False))
            low, high = source['range'][0]
            if self.is_hu and low >= 0:
                text = f'values from {low:g} to {high:g}, without the air of CT numbers'
                remedy = 'fetch it before it was windowed, or without its rescaling'
                findings.append(Finding(source['img'], text, remedy, skipped=False))
            if source.get('label_shift_mm'):
                text = (
                    f'voxels lie up to {source["label_shift_mm"]:.4g} mm from those of '
                    'the image; laid onto the image (--trust-image-grid)'
                )
                remedy = 'look at the two together'
                findings.append(Finding(source['seg'], text, remedy, skipped=False))
        return findings + _find_twins(cases, self.channel_names[0])

    def count(self, cases: Sequence[VolumeCase]) -> Mapping[str, Any]:
        """Cases and voxels of every class in each part."""
        return count_labelled(cases, self.classes, self.partition.num_folds)

    def format_counts(self, summary: Mapping[str, Any]) -> list[str]:
        """Table of :meth:`count`."""
        return format_labelled(summary, self.classes)


def has_lost_spacing(image: Volume) -> bool:
    """Whether a voxel size of 1 mm is not believable for that many voxels."""
    wide = sum(n >= _WIDE for n in image.shape)
    return wide >= 2 and all(abs(v - 1) < 1e-6 for v in image.spacing)


def _read(path: Path, ndim: int | None) -> Volume:
    try:
        return read_volume(path, ndim=ndim)
    except (OSError, ValueError) as error:
        raise SourceError.from_reader(path, error) from error


def _measure_shift(image: Volume, seg: Volume) -> float:
    corners = np.array(
        [[z, y, x, 1] for z in (0, image.shape[0] - 1) for y in (0, image.shape[1] - 1)
         for x in (0, image.shape[2] - 1)]
    )  # fmt: skip
    apart = (corners @ (image.grid - seg.grid).T)[:, :3]
    return float(np.linalg.norm(apart, axis=1).max())


def _explain_grid(image: Volume, seg: Volume) -> tuple[str, str]:
    """What is wrong with a label map's grid, and what to do."""
    if image.shape != seg.shape:
        return (
            f'{seg.shape} voxels (Z, Y, X), its image has {image.shape}',
            'fetch both again; they are not of the same scan',
        )
    lost = ''
    if all(abs(v - 1) < 1e-6 for v in seg.spacing):
        lost = f' (its voxel size is 1 mm, that of the image {image.spacing})'
    return (
        f'voxels lie up to {_measure_shift(image, seg):.4g} mm from those of its image'
        f'{lost}',
        'fetch both again, or lay it onto the image with --trust-image-grid',
    )


def _find_twins(cases: Sequence[VolumeCase], sequence: str) -> list[Finding]:
    """The same voxels under two names; of two patients they would be a leak."""
    findings = []
    first: dict[str, VolumeCase] = {}
    for case in cases:
        other = first.setdefault(case.sha256[sequence], case)
        if other.patient_id != case.patient_id:
            findings.append(
                Finding(
                    case.extra['source']['img'],
                    f'the same image as {other.case_id}, of another patient',
                    'keep one of them, they may be on two sides of the split',
                    skipped=False,
                )
            )
    return findings
