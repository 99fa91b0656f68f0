"""Images of ct-ich held against its diagnosis table: tasks, contradictions, counts."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmmed.preparation.ct_ich_layout import Key, RawFiles
from mmmed.preparation.findings import Finding, format_range
from mmmed.preparation.hemorrhage_csv import SUBTYPES, Diagnosis
from mmmed.preparation.parts import Record, Task
from mmmed.structures import Case

# What the publications of the two releases state; the second does not count slices.
EXPECTED: Mapping[str, Mapping[str, int | None]] = {
    'jpeg': {'slices': 2501, 'positive_slices': 318, 'patients': 82},
    'nifti': {'slices': None, 'positive_slices': 318, 'patients': 75},
}
_FETCH = 'fetch it again'


@dataclass(frozen=True)
class Context:
    """Files of a release and what the table says of its slices."""

    files: RawFiles
    diagnoses: Mapping[Key, Diagnosis]


def plan_tasks(
    context: Context, channel_names: Sequence[str], findings: list[Finding]
) -> list[Task]:
    """Pair images with masks; what cannot be paired joins the findings."""
    if context.files.release == 'nifti':
        return list(_plan_nifti(context, findings))
    return list(_plan_jpeg(context, channel_names, findings))


def _plan_jpeg(
    context: Context, channel_names: Sequence[str], findings: list[Finding]
) -> Iterator[Task]:
    images, masks = context.files.images, context.files.images['mask']

    def report(kind: str, key: Key, problem: str, remedy: str) -> None:
        path = images[kind][key].relative_to(context.files.root).as_posix()
        findings.append(Finding(path, problem, remedy))

    keys = images['brain'].keys() | images['bone'].keys() | masks.keys()
    for key in sorted(keys):
        sources = {n: images[n][key] for n in channel_names if key in images[n]}
        absent = [name for name in channel_names if name not in sources]
        diagnosis = context.diagnoses.get(key)
        if not sources and key in masks:
            report('mask', key, f'a mask without its {absent[0]} image', _FETCH)
        elif not sources:
            continue  # a window that was not asked for has more slices
        elif absent:
            report(
                next(iter(sources)), key, f'no {absent[0]} image of this slice', _FETCH
            )
        elif key not in masks and diagnosis and diagnosis.hemorrhage:
            report(
                channel_names[0],
                key,
                'hemorrhage in the table, but no mask',
                'left out, a zero label would be wrong; fetch the mask',
            )
        else:
            patient, number = key
            if key in masks:
                sources['mask'] = masks[key]
            yield Task(f'{patient}_{number}', patient, number, sources)


def _plan_nifti(context: Context, findings: list[Finding]) -> Iterator[Task]:
    scans, masks = context.files.images['scan'], context.files.images['mask']
    for key in sorted(scans.keys() | masks.keys()):
        if key in scans and key in masks:
            yield Task(key[0], key[0], 0, {'scan': scans[key], 'mask': masks[key]})
            continue
        path = scans.get(key) or masks[key]
        problem = 'a scan without mask' if key in scans else 'a mask without scan'
        name = path.relative_to(context.files.root).as_posix()
        findings.append(Finding(name, problem, 'fetch its counterpart'))


def review_cases(context: Context, cases: Sequence[Case]) -> list[Finding]:
    """Slices that the table does not list, or calls free of hemorrhage."""
    if context.files.csv is None:
        return []
    table = context.files.csv.relative_to(context.files.root).as_posix()
    unknown: dict[str, list[int]] = defaultdict(list)
    contradicted: dict[str, list[int]] = defaultdict(list)
    for case in cases:
        diagnosis = context.diagnoses.get((case.patient_id, case.slice_index))
        if diagnosis is None:
            unknown[case.patient_id].append(case.slice_index)
        elif case.positive and not diagnosis.hemorrhage:
            contradicted[case.patient_id].append(case.slice_index)
    findings = [
        Finding(
            table,
            f'no row for patient {patient}, slices {format_range(numbers)}',
            'kept with unknown subtypes',
            skipped=False,
        )
        for patient, numbers in sorted(unknown.items())
    ]
    return findings + [
        Finding(
            table,
            f'no hemorrhage for patient {patient}, slices {format_range(numbers)}, '
            'whose masks show some',
            'kept as positive, the mask counts',
            skipped=False,
        )
        for patient, numbers in sorted(contradicted.items())
    ]


def count_table(context: Context) -> dict[str, int] | None:
    """Slices, positive slices and patients of the table; None without one."""
    if context.files.csv is None:
        return None
    return {
        'slices': len(context.diagnoses),
        'positive_slices': sum(d.hemorrhage for d in context.diagnoses.values()),
        'patients': len({patient for patient, _ in context.diagnoses}),
    }


def count_absent(context: Context, records: Sequence[Record]) -> dict[str, Any]:
    """What the table lists and the result lacks, absent or left out."""
    have = {(record.patient_id, record.slice_index) for record in records}
    absent: dict[str, list[int]] = defaultdict(list)
    for patient, number in sorted(context.diagnoses.keys() - have):
        absent[patient].append(number)
    positive = sum(
        diagnosis.hemorrhage
        for key, diagnosis in context.diagnoses.items()
        if key not in have
    )
    present = {patient for patient, _ in have}
    return {
        'slices': sum(len(numbers) for numbers in absent.values()),
        'positive_slices': positive,
        'patients': len(absent),
        'whole_patients': len(absent.keys() - present),
        'slices_by_patient': {p: format_range(n) for p, n in absent.items()},
    }


def count_subtypes(cases: Sequence[Case]) -> dict[str, dict[str, int]]:
    """Slices of each hemorrhage subtype, and with a fracture, by split."""
    counts = {name: {'train': 0, 'val': 0} for name in (*SUBTYPES, 'fracture')}
    for case in cases:
        for name in SUBTYPES:
            counts[name][case.split] += bool((case.extra['findings'] or {}).get(name))
        counts['fracture'][case.split] += bool(case.extra['fracture'])
    return counts


def sum_masks(records: Sequence[Record]) -> dict[str, int]:
    """Pixels of all masks: how many are in between, lesion, and exactly white."""
    facts = [record.facts for record in records if record.facts]
    return {
        'masks': len(facts),
        'pixels': sum(fact['pixels'] for fact in facts),
        'in_between_pixels': sum(fact['in_between'] for fact in facts),
        'foreground_pixels': sum(record.foreground_pixels for record in records),
        'white_pixels': sum(fact['full'] for fact in facts),
    }


def format_facts(summary: Mapping[str, Any]) -> list[str]:
    """The counts of this module as text lines for a terminal."""
    table, expected = summary['table'], summary['expected']
    absent, masks = summary['absent'], summary['masks']
    lines = []
    if table:
        lines += [
            f'table: {table["slices"]} slices, {table["positive_slices"]} positive, '
            f'{table["patients"]} patients '
            f'(whole data set: {expected["slices"] or "?"}, '
            f'{expected["positive_slices"]}, {expected["patients"]})',
            f'listed but not here: {absent["slices"]} slices, '
            f'{absent["positive_slices"]} positive, of {absent["patients"]} patients '
            f'({absent["whole_patients"]} of them entirely)',
        ]
    if masks['pixels']:
        share = 100 * masks['in_between_pixels'] / masks['pixels']
        lines.append(
            f'mask pixels neither black nor white: {masks["in_between_pixels"]} of '
            f'{masks["pixels"]} ({share:.3f} %)'
        )
    if masks['foreground_pixels']:
        lost = 100 * (1 - masks['white_pixels'] / masks['foreground_pixels'])
        lines.append(f'a rule "== 255" would lose {lost:.1f} % of the lesion pixels')
    return lines
