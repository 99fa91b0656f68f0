"""CT of liver, pancreas or kidney from public collections: organ and tumor labels."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmmed.files import hash_file
from mmmed.preparation.findings import Finding, InputError, SourceError
from mmmed.preparation.fold_lists import write_fold_lists
from mmmed.preparation.labelled_case import LabelledCase
from mmmed.preparation.labelled_counts import rank_strata, sum_volumes
from mmmed.preparation.labelled_volumes import LabelledVolumePreparer
from mmmed.preparation.organ_sources import (
    ORGANS,
    find_organ_cases,
    identify_patient,
)
from mmmed.preparation.parts import Plan, Task
from mmmed.preparation.volume_storage import VolumeRecord
from mmmed.registry import PREPARERS
from mmmed.structures import Manifest, VolumeCase
from mmmed.structures.datalist import Datalist

_TUMOR = 2


@PREPARERS.register_module(name='liver')
class LiverPreparer(LabelledVolumePreparer):
    """Preparer of abdominal CT with one organ and its tumors.

    Raw folder: any of BTCV, Pancreas-CT, CHAOS, LiTS and MSD Task03 (liver), KiTS
    (kidney) and MSD Task07 (pancreas), each in its folder; see ``organ_sources``.
    Labels become 0 background, 1 organ, 2 tumor. Scans that LiTS and MSD Task03 both
    publish are one patient. The split is stratified by tumor volume, with healthy
    scans as a stratum of their own.

    Args:
        organ: ``'liver'``, ``'pancreas'`` or ``'kidney'``.
        datalist: JSON list whose validation scans become the hold-out; scans that it
            does not name get the split ``test``.
        write_datalists: Also write such lists of healthy, real and mixed scans for
            each fold, into a folder beside the output.
        **options: See :class:`LabelledVolumePreparer`.

    Source:
        Layouts and label numbers: SyntheticTumors (Hu et al. 2023, arXiv:2303.14869).
        Differs: missing organs, empty masks and grids that do not match are refused,
        and the split is by patient across collections.
    """

    name = 'liver'
    classes: tuple[str, ...] = ('background', 'liver', 'tumor')
    channel_names = ('ct',)
    is_hu = True
    help = 'CT of liver, pancreas or kidney with tumors (LiTS, MSD, KiTS, BTCV, ...)'

    def __init__(
        self,
        *,
        organ: str = 'liver',
        datalist: str | Path | None = None,
        write_datalists: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if organ not in ORGANS:
            raise InputError(f'--organ {organ!r}, expected one of {ORGANS}')
        self.organ = organ
        self.classes = ('background', organ, 'tumor')
        self.write_datalists = write_datalists
        self.raw: Path | None = None
        self.datalist = None if datalist is None else Path(datalist)
        self.listed: dict[str, str] = {}
        if self.datalist is not None:
            self.listed = _read_sides(self.datalist)

    @classmethod
    def add_arguments(cls, add: Callable[..., Any]) -> None:
        """Options of organs on the command line."""
        add('--organ', choices=ORGANS, default='liver', help='class 1 (liver)')
        text = 'published list of scans whose validation side becomes the hold-out'
        add('--datalist', metavar='JSON', help=text)
        text = 'also write lists of healthy, real and mixed scans a fold, beside DIR'
        add('--write-datalists', action='store_true', help=text)
        super().add_arguments(add)

    def discover(self, raw: Path) -> Plan:
        """Find the collections' scans; no image is opened."""
        cases, findings = find_organ_cases(raw, self.organ)
        self.raw = raw
        findings = [*findings, *_find_shared_scans(raw, cases)]
        if self.datalist is not None:
            there = {case.patient_id for case in cases}
            val = {p for p, side in self.listed.items() if side == 'val' and p in there}
            if not val:
                raise InputError(
                    f'--datalist {self.datalist}: none of its validation scans is in '
                    f'{raw}; choose the list that fits the data'
                )
            self.partition.take_holdout(val)
            findings += _find_absent(self.datalist, self.listed, there)
        return self.plan(raw, cases, findings=findings)

    def describe(self, plan: Plan) -> Mapping[str, Any]:
        """Facts for the manifest."""
        facts = {**super().describe(plan), 'dataset': self.organ, 'organ': self.organ}
        if self.datalist is not None:
            digest = hash_file(self.datalist)
            facts['datalist'] = {'name': self.datalist.name, 'sha256': digest}
        return facts

    def check_labels(self, case: LabelledCase, label_voxels: Sequence[int]) -> None:
        """Refuse a scan in which the organ is not labelled."""
        if not label_voxels[1]:
            assert case.label is not None
            numbers = [n for n, value in case.classes.items() if value == 1]
            found = 'only tumor' if label_voxels[_TUMOR] else 'nothing of it'
            raise SourceError(
                case.label,
                f'no voxel of the {self.organ} (label '
                f'{" or ".join(map(str, numbers))}), {found}',
                'see whether it is the right file, or take it away',
            )

    def takes_part(self, task: Task) -> bool:
        """With a list of scans, only those that it names are split."""
        return not self.listed or task.patient_id in self.listed

    def accept(self, record: VolumeRecord, plan: Plan) -> Mapping[str, Any]:
        """Columns of an organ: whether the scan is without tumor."""
        healthy = record.facts['label_voxels'][_TUMOR] == 0
        return {'healthy': healthy, **super().accept(record, plan)}

    def stratify(self, records: Sequence[VolumeRecord]) -> dict[str, Any]:
        """Ranks of tumor volume; healthy scans are a stratum."""
        parted = [r for r in records if not self.listed or r.patient_id in self.listed]
        volumes = sum_volumes(parted, [_TUMOR])
        return {**rank_strata(volumes, self.partition.num_folds, empty='healthy')}

    def summarize(
        self,
        plan: Plan,
        records: Sequence[VolumeRecord],
        cases: Sequence[VolumeCase],
    ) -> Mapping[str, Any]:
        """Scans of each source, and how many of them are healthy."""
        sources = Counter(case.extra['source']['name'] for case in cases)
        healthy = Counter(
            case.extra['source']['name'] for case in cases if case.extra['healthy']
        )
        return {
            'organ': self.organ,
            'sources': {
                name: {'cases': count, 'healthy': healthy[name]}
                for name, count in sorted(sources.items())
            },
        }

    def format_facts(self, summary: Mapping[str, Any]) -> list[str]:
        """What :meth:`summarize` added."""
        return [
            f'{name}: {part["cases"]} scans, {part["healthy"]} without tumor'
            for name, part in summary['sources'].items()
        ]

    def export(
        self, out: Path, *, workers: int, overwrite: bool, quiet: bool
    ) -> list[str]:
        """Lists of scans a fold, if they were wished."""
        if not self.write_datalists:
            return []
        assert self.raw is not None
        manifest = Manifest.read(out / 'manifest.json')
        folder = out.with_name(f'{out.name}_datalists')
        written = write_fold_lists(
            folder,
            manifest.cases,
            self.cases,
            self.raw,
            organ=self.organ,
            num_folds=self.partition.num_folds,
        )
        if not written:
            return ['no lists of scans: there is nothing to train on']
        return [f'wrote {len(written)} lists of scans to {folder}']


def _read_sides(path: Path) -> dict[str, str]:
    """Side of each patient of a list."""
    try:
        datalist = Datalist.read(path, identify=identify_patient)
    except (OSError, ValueError) as error:
        raise InputError(f'--datalist {error}') from error
    if not datalist.validation:
        raise InputError(
            f'--datalist {path}: has no validation scans, so it is no split; give a '
            'fold file'
        )
    sides = {identify_patient(e.image): 'train' for e in datalist.training}
    return sides | {identify_patient(e.image): 'val' for e in datalist.validation}


def _find_absent(
    path: Path, listed: Mapping[str, str], there: set[str]
) -> list[Finding]:
    absent = sorted(patient for patient in listed if patient not in there)
    if not absent:
        return []
    return [
        Finding(
            path.name,
            f'{len(absent)} of its {len(listed)} scans are not in the raw folder, '
            f'first {absent[0]}',
            'add them, or compare with nothing published on that list',
        )
    ]


def _find_shared_scans(root: Path, cases: Sequence[LabelledCase]) -> list[Finding]:
    """Scans that two collections publish; one finding for all of them."""
    first: dict[str, LabelledCase] = {}
    twins = []
    for case in cases:
        other = first.setdefault(case.patient_id, case)
        if other is not case:
            twins.append((case, other))
    if not twins:
        return []
    case, other = twins[0]
    return [
        Finding(
            case.image.relative_to(root).as_posix(),
            f'{len(twins)} scan(s) are in two collections, first {case.case_id} and '
            f'{other.case_id}; kept, as one patient each',
            'take one collection away if none should count twice',
            skipped=False,
        )
    ]
