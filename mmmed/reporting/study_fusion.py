"""A fusion folder as methods of a study: each plane alone, and all fused.

Not here: making the folder (``mmmed.inference``), its own page (``fusion_report``).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.reporting.evaluation_folder import read_run
from mmmed.reporting.fusion_tables import FUSED, FusionCase, read_fusion_folder
from mmmed.reporting.study_slices import SliceTable
from mmmed.reporting.study_subjects import (
    SubjectFacts,
    SubjectTable,
    tabulate_subjects,
)

TITLES = {FUSED: 'fused'}


@dataclass(frozen=True)
class FusionStudy:
    """Results of a fusion folder.

    Args:
        volumes: 3-D scores of each plane, then of the fusion, on the same subjects.
        slices: Slices of each plane, as the plane alone marks them and as the fusion
            does: identical slices, two tables a plane.
        facts: Volume of each subject's reference; no site, which only a manifest has.
        rule: Fusion rule in words.
        run: Content of ``run.json``.
    """

    volumes: tuple[SubjectTable, ...]
    slices: tuple[SliceTable, ...]
    facts: Mapping[str, SubjectFacts]
    rule: str
    run: Mapping[str, Any]


def read_fusion_study(folder: Path) -> FusionStudy | str:
    """Read a folder of ``tools/fuse.py``, or say why it is not there.

    Raises:
        ValueError: A file of it is damaged, or scans have different planes.
    """
    if not folder.is_dir():
        return 'there is no such folder'
    cases = read_fusion_folder(folder)
    if not cases:
        return 'no finished scan with a reference'
    masks = list(cases[0].counts)
    if any(list(case.counts) != masks for case in cases):
        raise ValueError(f'{folder}: not all scans were fused from the same planes')
    masks.sort(key=lambda name: name == FUSED)  # last, planes in their order
    # Parts of a divided run have records of their own; the rule is the same.
    records = sorted(folder.glob('run*.json'))
    run = read_run(records[0]) if records else {}
    return FusionStudy(
        tuple(_tabulate(name, cases) for name in masks),
        tuple(
            _collect(plane, when, cases)
            for plane in masks
            if plane != FUSED
            for when in ('before', 'after')
        ),
        {case.case_id: _describe(case) for case in cases},
        describe_rule(run),
        run,
    )


def describe_rule(run: Mapping[str, Any]) -> str:
    """Rule and threshold of a run record in words; empty if it does not say."""
    settings = (run.get('fusion') or {}).get('settings') or {}
    words = {
        'mean': 'mean probability of the planes',
        'vote': 'vote of the planes',
        'weighted': 'weighted mean probability of the planes',
    }
    rule = words.get(str(settings.get('rule')), '')
    threshold = settings.get('threshold')
    if rule and isinstance(threshold, int | float) and settings.get('rule') != 'vote':
        rule += f', lesion from {threshold:g} on'
    return rule


def _tabulate(name: str, cases: Sequence[FusionCase]) -> SubjectTable:
    keys = ('tp', 'fp', 'fn', 'tn')
    return tabulate_subjects(
        TITLES.get(name, f'{name} alone'),
        [case.case_id for case in cases],
        [[case.counts[name][key] for key in keys] for case in cases],
        [_describe(case).voxel_ml for case in cases],
    )


def _collect(plane: str, when: str, cases: Sequence[FusionCase]) -> SliceTable:
    """Counts of all slices of a plane; true negatives, which no score needs, are 0."""
    tables: list[NDArray[np.int64]] = []
    names: list[str] = []
    for case in cases:
        table = case.slices[plane]
        target = table[:, 0]
        pred, common = table[:, 1:3].T if when == 'before' else table[:, 3:5].T
        tables.append(
            np.stack([common, pred - common, target - common, 0 * target], axis=1)
        )
        names += [case.case_id] * len(table)
    title = f'{plane} alone' if when == 'before' else f'{plane} slices, fused'
    return SliceTable(title, tuple(names), np.concatenate(tables))


def _describe(case: FusionCase) -> SubjectFacts:
    voxel_ml = math.prod(case.spacing) / 1000
    counts = case.counts[FUSED]
    return SubjectFacts('', voxel_ml, (counts['tp'] + counts['fn']) * voxel_ml)
