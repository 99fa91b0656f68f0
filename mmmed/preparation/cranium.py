"""Head CT with intracranial hemorrhage (ct-ich): JPEG or NIfTI release to slices."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.intensity import apply_window
from mmmed.io import read_image, read_volume
from mmmed.io.png import squeeze_grey
from mmmed.preparation.base import BasePreparer
from mmmed.preparation.ct_ich_layout import Key, RawFiles, find_raw_files
from mmmed.preparation.ct_ich_tables import (
    EXPECTED,
    Context,
    count_absent,
    count_subtypes,
    count_table,
    format_facts,
    plan_tasks,
    review_cases,
    sum_masks,
)
from mmmed.preparation.findings import Finding, InputError, SourceError
from mmmed.preparation.hemorrhage_csv import Diagnosis, read_diagnoses
from mmmed.preparation.hemorrhage_masks import THRESHOLD, BinaryMask, binarize_mask
from mmmed.preparation.parts import Plan, Record, Slice, Task
from mmmed.registry import PREPARERS
from mmmed.structures import Case, Volume

# Level and width in HU with which the authors made the JPEG release; checked on it:
# grey of bone window = 0.0783 HU + 71.7, expected 255 / 3200 = 0.0797 and 71.7.
WINDOWS_HU = {'brain': (40.0, 120.0), 'bone': (700.0, 3200.0)}
# Channels of a grey JPEG that was stored as colour may differ by rounding.
_GREY_TOLERANCE = 8
_FETCH = 'fetch it again'


@PREPARERS.register_module(name='cranium')
class CraniumPreparer(BasePreparer):
    """Preparer of the ct-ich data set (Hssayeni et al. 2020).

    Raw folder: ``Patients_CT/NNN/{brain,bone}/M.jpg`` with masks ``M_HGE_Seg.jpg`` in
    ``brain``, or ``ct_scans/NNN.nii`` with ``masks/NNN.nii``, at any depth; beside it
    ``hemorrhage_diagnosis.csv`` or ``hemorrhage_diagnosis_raw_ct.csv``. Writes grey
    slices (``brain`` or ``bone``) or RGB with brain, bone and an empty channel, label
    maps {0, 1}, and per case ``findings`` (subtypes of the table, None without a row),
    ``fracture`` and ``source``.

    A slice without a mask file is negative by the release's convention, unless the
    table says hemorrhage: an all-zero label would then be wrong, so it is left out.
    A mask with lesion counts even if the table says none; that is reported.

    Args:
        window: ``'brain'``, ``'bone'`` or ``'both'``.
        window_level_hu: Another window centre, for the NIfTI release only.
        window_width_hu: Another window width, likewise; both or none.
        **options: See :class:`BasePreparer`.

    Source:
        Hssayeni et al. 2020, Data 5(1):14; physionet.org/content/ct-ich.
        Differs from OpenMMLab's Cranium script: masks thresholded at half instead of
        kept where exactly 255, splits by patient, tables read, errors reported.
    """

    name = 'cranium'
    classes = ('background', 'hemorrhage')
    help = 'head CT with hemorrhage (ct-ich: Kaggle, PhysioNet)'
    version = 1

    def __init__(
        self,
        *,
        window: str = 'brain',
        window_level_hu: float | None = None,
        window_width_hu: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if window not in (*WINDOWS_HU, 'both'):
            raise InputError(f'--window is {window!r}, expected brain, bone or both')
        self.channel_names = list(WINDOWS_HU) if window == 'both' else [window]
        self.window = window
        self.is_own_window = window_level_hu is not None or window_width_hu is not None
        self.windows_hu = dict(WINDOWS_HU)
        if self.is_own_window:
            if window == 'both' or window_level_hu is None or window_width_hu is None:
                raise InputError(
                    '--window-level and --window-width go together and with one '
                    'window, not both'
                )
            if not window_width_hu > 0:
                raise InputError(f'--window-width is {window_width_hu}, expected > 0')
            self.windows_hu[window] = (window_level_hu, window_width_hu)

    @classmethod
    def add_arguments(cls, add: Callable[..., Any]) -> None:
        """Options of ct-ich on the command line."""
        own = 'of a window of your own, for the NIfTI release'
        add('--window', choices=('brain', 'bone', 'both'), default='brain')
        add(
            '--window-level', dest='window_level_hu', type=float, metavar='HU', help=own
        )
        add(
            '--window-width', dest='window_width_hu', type=float, metavar='HU', help=own
        )

    def name_patient(self, name: str) -> str:
        """Three digits, however the user writes them."""
        if not name.isdecimal():
            raise InputError(f'--val-patients {name}: expected a number such as 081')
        return f'{int(name):03d}'

    def conversion_options(self) -> dict[str, Any]:
        """Windows and threshold."""
        windows = {name: self.windows_hu[name] for name in self.channel_names}
        return {'windows_hu': windows, 'threshold': THRESHOLD}

    def discover(self, raw: Path) -> Plan:
        """Pair images with masks and table rows; see the class for what is left out."""
        files = find_raw_files(raw)
        if files.release == 'jpeg' and self.is_own_window:
            raise InputError(
                f'{raw}: the JPEG release is windowed already, --window-level and '
                '--window-width need the NIfTI release'
            )
        findings = list(files.findings)
        diagnoses: dict[Key, Diagnosis] = {}
        if files.csv is None:
            problem = 'no hemorrhage_diagnosis*.csv, so masks cannot be cross-checked'
            findings.append(Finding('.', problem, 'fetch it too', skipped=False))
        else:
            diagnoses = read_diagnoses(files.csv)
        context = Context(files, diagnoses)
        tasks = plan_tasks(context, self.channel_names, findings)
        inputs = [] if files.csv is None else [files.csv]
        return Plan(files.root, tasks, findings, inputs, context)

    def describe(self, plan: Plan) -> dict[str, Any]:
        """Channels, window and release."""
        return {
            'channels': len(self.channel_names),
            'channel_names': self.channel_names,
            'window': self.window,
            'window_hu': {n: list(self.windows_hu[n]) for n in self.channel_names},
            'mask_threshold': THRESHOLD,
            'release': plan.context.files.release,
        }

    def convert(self, task: Task) -> Sequence[Slice]:
        """One JPEG slice, or all slices of one scan."""
        if 'scan' in task.sources:
            return list(self._convert_scan(task))
        sources = [task.sources[name] for name in self.channel_names]
        channels = [_read_grey(path) for path in sources]
        for path, channel in zip(sources, channels, strict=True):
            _check_shape(path, channel, sources[0], channels[0])
        if 'mask' in task.sources:
            path = task.sources['mask']
            mask = _read_grey(path)
            _check_shape(path, mask, sources[0], channels[0])
            binary = _binarize(path, mask)
            label, facts = binary.label, _count(binary)
        else:
            label, facts = np.zeros_like(channels[0]), {}
        image = _stack(channels)
        return [
            Slice(task.name, task.patient_id, task.number, image, label, None, facts)
        ]

    def _convert_scan(self, task: Task) -> Iterator[Slice]:
        path, mask_path = task.sources['scan'], task.sources['mask']
        scan, mask = _read_scan(path), _read_scan(mask_path)
        if scan.array.ndim != 3 or scan.orientation[0] not in 'SI':
            raise SourceError(
                path,
                f'shape {scan.array.shape} with axes {scan.orientation} is no stack of '
                'axial slices',
                'store axial slices along the third axis',
            )
        _check_shape(mask_path, mask.array, path, scan.array)
        is_upward = scan.orientation[0] == 'S'
        # Voxel by voxel, as the authors pair them, whatever the mask's header says.
        mask = Volume(mask.array, scan.spacing, scan.affine).reorient('SPL')
        scan = scan.reorient('SPL')
        white = 1 if float(mask.array.max()) <= 1.5 else 255
        depth = scan.shape[0]
        for number in range(1, depth + 1):
            # The table counts slices in the order of the file.
            index = number - 1 if is_upward else depth - number
            binary = _binarize(mask_path, mask.array[index], white=white)
            yield Slice(
                case_id=f'{task.patient_id}_{number}',
                patient_id=task.patient_id,
                slice_index=number,
                image=_stack(self._apply_windows(path, scan.array[index])),
                label=binary.label,
                spacing=scan.spacing[1:],
                facts=_count(binary),
            )

    def _apply_windows(self, path: Path, hu: NDArray) -> list[NDArray[np.uint8]]:
        windows = [self.windows_hu[name] for name in self.channel_names]
        try:
            return [
                apply_window(hu, level_hu=at, width_hu=width) for at, width in windows
            ]
        except ValueError as error:
            raise SourceError(path, str(error), _FETCH) from error

    def accept(self, record: Record, plan: Plan) -> Mapping[str, Any] | Finding:
        """Table columns of a slice; no slice whose empty mask the table contradicts."""
        key = (record.patient_id, record.slice_index)
        diagnosis = plan.context.diagnoses.get(key)
        source = self._name_source(record, plan)
        if diagnosis and diagnosis.hemorrhage and not record.foreground_pixels:
            return Finding(
                source,
                f'slice {record.slice_index} has an empty mask, but hemorrhage in the '
                'table',
                'left out, a zero label would be wrong; fetch the mask again',
            )
        return {
            'findings': dict(diagnosis.subtypes) if diagnosis else None,
            'fracture': diagnosis.fracture if diagnosis else None,
            'source': source,
        }

    def review(self, plan: Plan, cases: Sequence[Case]) -> list[Finding]:
        """Slices that the table does not know, or calls free of hemorrhage."""
        return review_cases(plan.context, cases)

    def _name_source(self, record: Record, plan: Plan) -> str:
        files: RawFiles = plan.context.files
        if files.release == 'nifti':
            path = files.images['scan'][record.patient_id, 0]
        else:
            key = (record.patient_id, record.slice_index)
            path = files.images[self.channel_names[0]][key]
        return path.relative_to(files.root).as_posix()

    def stratify(self, records: Sequence[Record]) -> dict[str, str]:
        """Patients without hemorrhage, with less and with more than the median.

        Halving the positive patients by lesion size keeps the foreground shares of
        the sides alike; with few of them it would only hinder the balance.
        """
        loads: dict[str, int] = defaultdict(int)
        for record in records:
            loads[record.patient_id] += record.foreground_pixels
        positive = sorted(load for load in loads.values() if load)
        if len(positive) < 2 * self.partition.num_folds:
            return super().stratify(records)
        middle = median(positive)
        return {
            patient: 'negative'
            if not load
            else ('positive-large' if load > middle else 'positive-small')
            for patient, load in loads.items()
        }

    def summarize(
        self, plan: Plan, records: Sequence[Record], cases: Sequence[Case]
    ) -> dict[str, Any]:
        """What the table lists and lacks, subtypes, and what soft masks would cost."""
        context: Context = plan.context
        return {
            'release': context.files.release,
            'window': self.window,
            'table': count_table(context),
            'expected': EXPECTED[context.files.release],
            'absent': count_absent(context, records),
            'subtypes': count_subtypes(cases),
            'masks': sum_masks(records),
        }

    def format_facts(self, summary: Mapping[str, Any]) -> list[str]:
        """Text of :meth:`summarize`."""
        return format_facts(summary)


def _read_grey(path: Path) -> NDArray[np.uint8]:
    try:
        image = read_image(path)
    except (OSError, ValueError) as error:
        raise SourceError.from_reader(path, error) from error
    grey = squeeze_grey(image, _GREY_TOLERANCE)
    if grey is None:
        raise SourceError(path, 'in colour, expected a grey CT slice or mask', _FETCH)
    if grey.dtype != np.uint8:
        raise SourceError(path, f'{grey.dtype} values, expected 8 bits', _FETCH)
    return grey


def _read_scan(path: Path) -> Volume:
    try:
        return read_volume(path)
    except (OSError, ValueError) as error:
        raise SourceError.from_reader(path, error) from error


def _binarize(path: Path, mask: NDArray, *, white: float = 255) -> BinaryMask:
    try:
        return binarize_mask(mask, white=white)
    except ValueError as error:
        raise SourceError(path, str(error), _FETCH) from error


def _check_shape(path: Path, array: NDArray, other: Path, reference: NDArray) -> None:
    if array.shape != reference.shape:
        raise SourceError(
            path,
            f'shape {array.shape}, but {other.name} has {reference.shape}',
            'fetch both again',
        )


def _stack(channels: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """One window stays grey; two become red and green, since PNG has no two bytes."""
    if len(channels) == 1:
        return channels[0]
    return np.dstack([*channels, np.zeros_like(channels[0])])


def _count(binary: BinaryMask) -> dict[str, int]:
    return {
        'pixels': int(binary.label.size),
        'in_between': binary.in_between,
        'full': binary.full,
    }
