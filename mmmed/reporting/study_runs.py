"""Finished runs of a study: found, read, checked; a run that is not there is named.

Not here: what is computed from them (``study_subjects``, ``study_slices``), budgets
(``study_budget``).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmmed.functional.aggregation import sum_by_group
from mmmed.functional.planes import PLANES, count_slices
from mmmed.reporting.evaluation_folder import (
    CaseRow,
    Evaluation,
    read_evaluation,
    read_run,
)
from mmmed.reporting.exposure import HELD_OUT, judge_exposure, read_training_part
from mmmed.reporting.study_slices import SliceTable
from mmmed.reporting.study_spec import RunSpec
from mmmed.reporting.study_subjects import (
    SubjectFacts,
    SubjectTable,
    tabulate_subjects,
)
from mmmed.structures.manifest import Manifest
from mmmed.structures.volume_case import VolumeCase


@dataclass(frozen=True)
class StudyRun:
    """A run with its results.

    Args:
        spec: Where it lies and what it is.
        subjects: 3-D scores.
        slices: Counts of its slices.
        facts: Of the subjects, as far as the manifest can be read.
        split_hash: Assignment of subjects that it was tested on; None if unknown.
        semi_synthetic: Whether the manifest says so; None if it cannot be read.
        parts: Work folder of each training: one, or one a fold.
        evaluations: What was read, one a part.
        is_held_out: Whether no subject was trained on, as far as can be told.
        warnings: What a reader must know, as clauses.
    """

    spec: RunSpec
    subjects: SubjectTable
    slices: SliceTable
    facts: Mapping[str, SubjectFacts]
    split_hash: str | None
    semi_synthetic: bool | None
    parts: tuple[Path, ...]
    evaluations: tuple[Evaluation, ...]
    is_held_out: bool = True
    warnings: tuple[str, ...] = ()


def read_study_run(spec: RunSpec, label: str, title: str) -> StudyRun | str:
    """Read a run, or say why it is not there.

    Args:
        spec: The run.
        label: Structure that is compared.
        title: What a reader knows the run by.

    Returns:
        The run, or the reason why it has no result.

    Raises:
        ValueError: Its results are damaged or contradict the study file.
    """
    folders = find_evaluations(spec)
    if isinstance(folders, str):
        return folders
    evaluations = [read_evaluation(folder) for folder in folders]
    parts = [folder.parents[1] for folder in folders]
    rows = [row for one in evaluations for row in one.rows if row.label == label]
    if not rows:
        raise ValueError(f'{spec.folder}: nothing was tested of {label!r}')
    _check_folds(spec, evaluations)
    _check_plane(spec, rows)
    _check_seed(spec, evaluations)
    facts: dict[str, SubjectFacts] = {}
    for one in evaluations:
        facts |= list_facts(one.manifest)
    names, counts = sum_by_group(
        [row.counts for row in rows], [row.patient_id for row in rows]
    )
    sizes = [facts.get(name, SubjectFacts()).voxel_ml for name in names]
    exposed = _judge_exposure(evaluations, parts)
    synthetic = [_is_synthetic(one.manifest) for one in evaluations]
    return StudyRun(
        spec,
        tabulate_subjects(title, names, counts, sizes),
        SliceTable(
            title,
            tuple(row.patient_id for row in rows),
            np.array([row.counts for row in rows], np.int64),
        ),
        facts,
        next((one.summary.get('split_hash') for one in evaluations), None),
        next((value for value in synthetic if value is not None), None),
        tuple(parts),
        tuple(evaluations),
        not exposed,
        (*exposed, *_judge_slices(evaluations, names, rows)),
    )


def find_evaluations(spec: RunSpec) -> list[Path] | str:
    """Evaluation folders of a run, or why there is none.

    A run is a work folder with ``evaluation/<name>``, or a folder of folds
    ``fold<k>/evaluation/<name>`` as ``tools/cross_validate.py`` leaves it.

    Raises:
        ValueError: A work folder has several evaluations and none is chosen.
    """
    if not spec.folder.is_dir():
        return 'there is no such folder'
    folds = sorted(p for p in spec.folder.glob('fold*') if p.name[4:].isdecimal())
    if folds:
        found = [_choose(fold, spec.evaluation, '*fold*') for fold in folds]
        open_folds = [
            p.name for p, one in zip(folds, found, strict=True) if one is None
        ]
        if open_folds:
            return f'{", ".join(open_folds)} not tested yet'
        return [one for one in found if one is not None]
    chosen = _choose(spec.folder, spec.evaluation, '*')
    return 'not tested yet' if chosen is None else [chosen]


def list_facts(manifest: Manifest | None) -> dict[str, SubjectFacts]:
    """Site, voxel size and reference volume of the subjects of a volume manifest."""
    facts: dict[str, SubjectFacts] = {}
    for case in manifest.cases if manifest else ():
        if isinstance(case, VolumeCase) and case.patient_id not in facts:
            voxel_ml = math.prod(case.spacing) / 1000
            count = case.foreground_voxels
            facts[case.patient_id] = SubjectFacts(
                str(case.extra.get('site') or ''),
                voxel_ml,
                math.nan if count is None else count * voxel_ml,
            )
    return facts


def _choose(work_dir: Path, name: str | None, pattern: str) -> Path | None:
    found = sorted(
        path.parent for path in work_dir.glob(f'evaluation/{pattern}/summary.json')
    )
    if name is not None:
        found = [path for path in found if path.name == name]
    if len(found) > 1:
        # The hold-out side is what a study reports unless it says otherwise.
        found = [path for path in found if path.name == 'val'] or found
    if len(found) > 1:
        raise ValueError(
            f'{work_dir}/evaluation has {", ".join(p.name for p in found)}; name one '
            'with "evaluation" in the study file'
        )
    return found[0] if found else None


def _check_folds(spec: RunSpec, evaluations: Sequence[Evaluation]) -> None:
    """Refuse folds that share subjects, or were made from different splits."""
    seen: set[str] = set()
    for one in evaluations:
        twice = seen.intersection(one.patients)
        if twice:
            raise ValueError(
                f'{spec.folder}: subject {min(twice)} was tested in two folds'
            )
        seen.update(one.patients)
    if len({one.summary.get('split_hash') for one in evaluations}) > 1:
        raise ValueError(f'{spec.folder}: folds were tested on different splits')


def _check_plane(spec: RunSpec, rows: Sequence[CaseRow]) -> None:
    """Refuse slices of another plane than the study file says."""
    wanted = spec.roles.get('plane')
    planes = {_read_plane(row) for row in rows} - {None}
    if wanted and planes and planes != {wanted}:
        raise ValueError(
            f'{spec.folder} was tested on {", ".join(map(str, planes))} slices, the '
            f'study file says {wanted}'
        )


def _check_seed(spec: RunSpec, evaluations: Sequence[Evaluation]) -> None:
    wanted = spec.roles.get('seed')
    for one in evaluations:
        seed = one.run.get('seed')
        if wanted is not None and seed is not None and seed != wanted:
            raise ValueError(
                f'{one.folder} has seed {seed}, the study file says {wanted}'
            )


def _read_plane(row: CaseRow) -> str | None:
    words = row.case_id.rsplit('_', 2)
    return words[1] if len(words) == 3 and words[1] in PLANES else None


def _judge_exposure(
    evaluations: Sequence[Evaluation], parts: Sequence[Path]
) -> list[str]:
    """Sentences about tested subjects that training has, or may have, seen."""
    found = []
    for one, part in zip(evaluations, parts, strict=True):
        exposure = judge_exposure(
            one,
            read_training_part(part),
            trained_manifest=read_run(part / 'run.json').get('manifest_sha256'),
        )
        if exposure.kind != HELD_OUT:
            reason = f': {exposure.reason}' if exposure.reason else ''
            found.append(f'subjects were {exposure.label}{reason}')
    return found


def _judge_slices(
    evaluations: Sequence[Evaluation],
    names: Sequence[str],
    rows: Sequence[CaseRow],
) -> list[str]:
    thinned = _find_thinned(evaluations, rows)
    if not thinned:
        return []
    return [
        f'not all slices of {len(thinned)} of {len(names)} subjects were tested '
        f'({thinned[0]} …), so 3-D scores are of thinned volumes'
    ]


def _find_thinned(
    evaluations: Sequence[Evaluation], rows: Sequence[CaseRow]
) -> list[str]:
    """Subjects of whose volume fewer slices were tested than it has."""
    expected: dict[str, int] = {}
    shapes = {
        case.patient_id: case.shape
        for one in evaluations
        for case in (one.manifest.cases if one.manifest else ())
        if isinstance(case, VolumeCase)
    }
    tested: dict[str, int] = {}
    for row in rows:
        plane = _read_plane(row)
        if plane and row.patient_id in shapes:
            expected[row.patient_id] = count_slices(shapes[row.patient_id], plane)
            tested[row.patient_id] = tested.get(row.patient_id, 0) + 1
    return sorted(name for name, count in expected.items() if tested[name] < count)


def _is_synthetic(manifest: Manifest | None) -> bool | None:
    value: Any = manifest.metainfo.get('semi_synthetic') if manifest else None
    return value if isinstance(value, bool) else None
