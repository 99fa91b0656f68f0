"""Rows of every table of a study, from the runs and fusion folders it names.

Not here: how rows are shown (``study_page``), what a row says (``study_subjects``,
``study_slices``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mmmed.functional.lesion_strata import name_strata
from mmmed.functional.statistics import summarize
from mmmed.reporting.study_budget import describe_budget
from mmmed.reporting.study_fusion import FusionStudy, read_fusion_study
from mmmed.reporting.study_runs import StudyRun, read_study_run
from mmmed.reporting.study_slices import (
    SliceTable,
    summarize_published,
    summarize_slices,
)
from mmmed.reporting.study_spec import StudySpec, TableSpec
from mmmed.reporting.study_subjects import (
    SubjectFacts,
    SubjectTable,
    average_subjects,
    compare_subjects,
    find_common_subjects,
    list_subjects,
    summarize_groups,
    summarize_subjects,
)

Row = dict[str, Any]


@dataclass(frozen=True)
class StudyTable:
    """One comparison with its rows.

    Args:
        spec: What was asked for.
        rows: By section, as they are written to CSV; a section without rows is absent.
        missing: What is not there: name, folder, reason.
        remarks: Sentences to know.
        num_subjects: Subjects that all methods have.
    """

    spec: TableSpec
    rows: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    missing: tuple[tuple[str, str, str], ...] = ()
    remarks: tuple[str, ...] = ()
    num_subjects: int = 0


@dataclass(frozen=True)
class Study:
    """A study with its results.

    Args:
        spec: The file.
        runs: Those that were found, by name.
        absent: Reason why each other one was not.
        facts: Of all subjects.
        tables: In the order of the page.
        fusions: What was read, by table.
    """

    spec: StudySpec
    runs: Mapping[str, StudyRun]
    absent: Mapping[str, str]
    facts: Mapping[str, SubjectFacts]
    tables: tuple[StudyTable, ...] = ()
    fusions: Mapping[str, FusionStudy] = field(default_factory=dict)

    def list_warnings(self) -> dict[str, list[str]]:
        """What must be known of runs, and of which."""
        found: dict[str, list[str]] = {}
        for name, run in self.runs.items():
            for text in run.warnings:
                found.setdefault(text, []).append(name)
        return found

    def list_all_subjects(self) -> list[Row]:
        """A row per run and subject, and per fused mask and subject."""
        rows = [
            row
            for name, run in self.runs.items()
            for row in list_subjects(run.subjects, name, self.facts)
        ]
        return rows + [
            row
            for name, fusion in self.fusions.items()
            for table in fusion.volumes
            for row in list_subjects(table, f'{name}: {table.title}', self.facts)
        ]


def collect_study(spec: StudySpec) -> Study:
    """Read everything that a study names and make its tables.

    Raises:
        ValueError: Results are damaged, contradict the file, or are of different
            splits and so cannot be compared.
    """
    runs: dict[str, StudyRun] = {}
    absent: dict[str, str] = {}
    used = {name for table in spec.tables for name in table.runs}
    for name in (name for name in spec.runs if name in used):
        found = read_study_run(spec.runs[name], spec.label, name)
        if isinstance(found, str):
            absent[name] = found
        else:
            runs[name] = found
    fusions: dict[str, FusionStudy] = {}
    for table in (table for table in spec.tables if table.folder is not None):
        fused = read_fusion_study(table.folder) if table.folder else ''
        if isinstance(fused, str):
            absent[table.name] = fused
        else:
            fusions[table.name] = fused
    _check_splits(runs)
    study = Study(spec, runs, absent, _merge_facts(runs, fusions), (), fusions)
    return replace(study, tables=tuple(_make(study, table) for table in spec.tables))


def _make(study: Study, table: TableSpec) -> StudyTable:
    make = {'runs': _compare_runs, 'seeds': _compare_seeds, 'fusion': _show_fusion}
    result = make[table.kind](study, table)
    rows = {key: result.rows[key] for key in table.sections if result.rows.get(key)}
    return replace(result, rows=rows, missing=_list_missing(study, table))


def _compare_runs(study: Study, table: TableSpec) -> StudyTable:
    runs = [study.runs[name] for name in table.runs if name in study.runs]
    titles = [str(run.spec.roles[table.by]) for run in runs]
    volumes = [replace(r.subjects, title=t) for r, t in zip(runs, titles, strict=True)]
    slices = [replace(r.slices, title=t) for r, t in zip(runs, titles, strict=True)]
    rows = _make_rows(volumes, slices, study.facts)
    # Without its first run the others have nothing to be compared with.
    if table.runs[0] in study.runs:
        rows['paired'] = compare_subjects(volumes[0], volumes[1:])
    rows['budget'] = _list_budgets(runs, titles)
    return _finish(table, rows, volumes)


def _compare_seeds(study: Study, table: TableSpec) -> StudyTable:
    groups: dict[str, list[StudyRun]] = {}
    for name in table.runs:
        title = str(study.spec.runs[name].roles[table.by])
        groups.setdefault(title, [])
        if name in study.runs:
            groups[title].append(study.runs[name])
    wanted = list(groups)
    found = {title: runs for title, runs in groups.items() if runs}
    means = [
        average_subjects(title, [run.subjects for run in runs])
        for title, runs in found.items()
    ]
    rows = _make_rows(means, [], study.facts)
    rows['volumes'] = [
        row for title, runs in found.items() for row in _list_seeds(title, runs)
    ]
    if wanted and wanted[0] in found:
        rows['paired'] = compare_subjects(means[0], means[1:])
    runs = [run for members in found.values() for run in members]
    titles = [
        f'{title}, seed {run.spec.roles.get("seed", "?")}'
        for title, members in found.items()
        for run in members
    ]
    rows['budget'] = _list_budgets(runs, titles)
    return _finish(table, rows, means)


def _list_seeds(title: str, runs: Sequence[StudyRun]) -> list[Row]:
    """A row per seed, then their mean and standard deviation."""
    rows: list[Row] = []
    for run in runs:
        volumes, slices = summarize_subjects(run.subjects), summarize_slices(run.slices)
        rows.append(
            {
                'group': title,
                'seed': run.spec.roles.get('seed'),
                'n_subjects': volumes['dice_n'],
                'n_seeds': None,
                'dice_mean': volumes['dice_mean'],
                'dice_median': volumes['dice_median'],
                'lesion_slices_dice': slices['dice_mean'],
                'left_empty': slices['left_empty'],
                'free_marked': slices['free_marked'],
            }
        )
    for seed in ('mean', 'sd'):
        row: Row = {'group': title, 'seed': seed, 'n_subjects': None}
        row['n_seeds'] = len(runs)
        for name in list(rows[0])[4:]:
            row[name] = getattr(
                summarize([one[name] for one in rows[: len(runs)]]), seed
            )
        rows.append(row)
    return rows


def _show_fusion(study: Study, table: TableSpec) -> StudyTable:
    if table.name not in study.fusions:
        return StudyTable(table)
    fusion = study.fusions[table.name]
    rows = _make_rows(fusion.volumes, fusion.slices, study.facts)
    rows['paired'] = compare_subjects(fusion.volumes[-1], fusion.volumes[:-1])
    remarks = [f'Rule: {fusion.rule}.'] if fusion.rule else []
    return _finish(table, rows, fusion.volumes, remarks)


def _make_rows(
    volumes: Sequence[SubjectTable],
    slices: Sequence[SliceTable],
    facts: Mapping[str, SubjectFacts],
) -> dict[str, list[Row]]:
    strata = ['no lesion', *name_strata('volume', 'mm³')]
    return {
        'volumes': [summarize_subjects(one) for one in volumes],
        'slices': [summarize_slices(one) for one in slices],
        'published': [summarize_published(one) for one in slices],
        'strata': summarize_groups(volumes, facts, lambda one: one.stratum, strata),
        'sites': summarize_groups(volumes, facts, lambda one: one.site),
    }


def _finish(
    table: TableSpec,
    rows: Mapping[str, Sequence[Row]],
    volumes: Sequence[SubjectTable],
    remarks: Sequence[str] = (),
) -> StudyTable:
    common = find_common_subjects(volumes) if volumes else ()
    sizes = {len(one.subjects) for one in volumes}
    notes = list(remarks)
    if volumes and sizes != {len(common)}:
        notes.append(
            f'The methods were not tested on the same subjects: {len(common)} are '
            'common to all, and paired comparisons take those that two have.'
        )
    return StudyTable(table, rows, (), tuple(notes), len(common))


def _list_budgets(runs: Sequence[StudyRun], titles: Sequence[str]) -> list[Row]:
    return [
        {**describe_budget(run), 'method': title}
        for run, title in zip(runs, titles, strict=True)
    ]


def _list_missing(study: Study, table: TableSpec) -> tuple[tuple[str, str, str], ...]:
    found = [
        (name, study.spec.runs[name].shown, study.absent[name])
        for name in table.runs
        if name in study.absent
    ]
    if table.kind == 'fusion' and table.name in study.absent:
        found.append((table.name, table.shown, study.absent[table.name]))
    return tuple(found)


def _merge_facts(
    runs: Mapping[str, StudyRun], fusions: Mapping[str, FusionStudy]
) -> dict[str, SubjectFacts]:
    """Facts of all subjects; those of a manifest, which knows the site, win."""
    facts: dict[str, SubjectFacts] = {}
    for fusion in fusions.values():
        facts |= fusion.facts
    for run in runs.values():
        facts |= run.facts
    return facts


def _check_splits(runs: Mapping[str, StudyRun]) -> None:
    hashes = {name: run.split_hash for name, run in runs.items() if run.split_hash}
    if len(set(hashes.values())) > 1:
        first, *others = hashes
        other = next(name for name in others if hashes[name] != hashes[first])
        raise ValueError(
            f'runs {first} and {other} were tested on different splits of the data '
            'and cannot be compared; train and test all on one manifest'
        )
