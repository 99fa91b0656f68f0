"""3-D scores of the subjects of a run, and tables over them.

A subject is what a study samples, so every mean, interval and test here is over
subjects. Not here: slices (``study_slices``), reading runs (``study_runs``).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmmed.functional.lesion_strata import NO_LESION, assign_strata, name_strata
from mmmed.functional.overlap import compute_scores
from mmmed.functional.paired import compare_paired
from mmmed.functional.statistics import compute_bootstrap_interval, summarize

SCORES = ('dice', 'precision', 'recall')
UNKNOWN = 'unknown'
_SEED = 0

Row = dict[str, Any]


@dataclass(frozen=True)
class SubjectFacts:
    """What the manifest says about a subject.

    Args:
        site: Where the scan was made; empty if it does not say.
        voxel_ml: Size of a voxel in ml; NaN where unknown.
        reference_ml: Volume of the reference in ml; NaN where unknown.
    """

    site: str = ''
    voxel_ml: float = float('nan')
    reference_ml: float = float('nan')

    @property
    def stratum(self) -> str:
        """Name of the volume bin."""
        if not self.reference_ml >= 0:
            return UNKNOWN
        number = int(assign_strata(self.reference_ml * 1000, 'volume'))
        return (
            'no lesion' if number == NO_LESION else name_strata('volume', 'mm³')[number]
        )


@dataclass(frozen=True)
class SubjectTable:
    """3-D scores of one method.

    Args:
        title: What a reader knows it by.
        subjects: Names, sorted, each once.
        scores: Arrays (S,): those of ``SCORES`` in [0, 1], NaN where reference and
            mask are both empty, and ``volume_difference_ml`` (mask minus reference).
        counts: (S, 4) tp, fp, fn, tn; empty for a mean over seeds.
    """

    title: str
    subjects: tuple[str, ...]
    scores: Mapping[str, NDArray[np.float64]]
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 4), int))

    def select(self, subjects: Sequence[str]) -> 'SubjectTable':
        """The same of some subjects, in the order given."""
        places = {name: place for place, name in enumerate(self.subjects)}
        index = [places[name] for name in subjects]
        scores = {name: values[index] for name, values in self.scores.items()}
        counts = self.counts[index] if len(self.counts) else self.counts
        return SubjectTable(self.title, tuple(subjects), scores, counts)


def tabulate_subjects(
    title: str, subjects: Sequence[str], counts: ArrayLike, voxel_ml: ArrayLike
) -> SubjectTable:
    """Scores of subjects from the counts of their whole volumes.

    Args:
        title: Of the method.
        subjects: S names, each once.
        counts: (S, 4): tp, fp, fn, tn in voxels.
        voxel_ml: (S,) size of a voxel in ml; NaN where unknown.
    """
    order = np.argsort(np.asarray(subjects, dtype=str), kind='stable')
    table = np.asarray(counts, np.int64).reshape(-1, 4)[order]
    sizes = np.asarray(voxel_ml, np.float64)[order]
    scores = compute_scores(table)
    return SubjectTable(
        title,
        tuple(str(subjects[k]) for k in order),
        {name: scores[name] for name in SCORES}
        | {'volume_difference_ml': (table[:, 1] - table[:, 2]) * sizes},
        table,
    )


def average_subjects(title: str, tables: Sequence[SubjectTable]) -> SubjectTable:
    """Mean over seeds of each score of each subject that all of them have.

    Raises:
        ValueError: There is no table.
    """
    if not tables:
        raise ValueError('nothing to average')
    names = find_common_subjects(tables)
    chosen = [table.select(names) for table in tables]
    scores = {
        name: np.mean([table.scores[name] for table in chosen], axis=0)
        for name in chosen[0].scores
    }
    return SubjectTable(title, names, scores)


def find_common_subjects(tables: Sequence[SubjectTable]) -> tuple[str, ...]:
    """Subjects of all tables, sorted."""
    common = set(tables[0].subjects).intersection(*(t.subjects for t in tables[1:]))
    return tuple(sorted(common))


def summarize_subjects(table: SubjectTable) -> Row:
    """One row: n, mean, SD, median and 95 % interval of each score."""
    row: Row = {'method': table.title}
    for name in SCORES:
        row |= _summarize(name, table.scores[name])
    difference = table.scores['volume_difference_ml']
    row |= _summarize('absolute_volume_difference_ml', np.abs(difference))
    return {**row, 'volume_difference_ml_mean': summarize(difference).mean}


def summarize_groups(
    tables: Sequence[SubjectTable],
    facts: Mapping[str, SubjectFacts],
    get_group: Callable[[SubjectFacts], str],
    order: Sequence[str] = (),
) -> list[Row]:
    """Dice of every method in groups of subjects.

    Args:
        tables: Methods.
        facts: Of the subjects; one that is absent is in no known group.
        get_group: Name of a subject's group.
        order: Of the groups; others follow, sorted.

    Returns:
        A row per group and method that has subjects in it: ``group``, ``method``,
        ``dice_n``, ``dice_mean`` and so on.
    """
    found = {
        name: get_group(facts.get(name, SubjectFacts())) or UNKNOWN
        for table in tables
        for name in table.subjects
    }
    groups = sorted(set(found.values()))
    groups.sort(key=lambda g: order.index(g) if g in order else len(order))
    rows = []
    for group in groups:
        for table in tables:
            kept = [name for name in table.subjects if found[name] == group]
            if kept:
                values = table.select(kept).scores['dice']
                row: Row = {'group': group, 'method': table.title}
                rows.append(row | _summarize('dice', values))
    return rows


def compare_subjects(first: SubjectTable, others: Sequence[SubjectTable]) -> list[Row]:
    """The first method against each other one, by subject.

    Args:
        first: First method; differences are its Dice minus the other's.
        others: Compared on the subjects that both have.

    Returns:
        A row per other method: those of
        :class:`mmmed.functional.paired.PairedComparison`, the numbers of subjects that
        only one of both has, and ``p_holm``, which corrects for the number of rows.
    """
    rows: list[Row] = []
    for other in others:
        names = find_common_subjects([first, other])
        result = compare_paired(
            first.select(names).scores['dice'],
            other.select(names).scores['dice'],
            units=names,
            rng=np.random.default_rng(_SEED),
        )
        rows.append(
            {'first': first.title, 'second': other.title}
            | asdict(result)
            | {'n_only_first': len(first.subjects) - len(names)}
            | {'n_only_second': len(other.subjects) - len(names)}
        )
    for row, p_value in zip(
        rows, correct_holm([r['p_value'] for r in rows]), strict=True
    ):
        row['p_holm'] = p_value
    return rows


def correct_holm(p_values: ArrayLike) -> list[float]:
    """P values of m tests, each as if it were the only one.

    Args:
        p_values: (m,); NaN where there was nothing to test, which does not count.

    Returns:
        The k-th smallest of m times m - k + 1, never below a smaller one, at most 1;
        NaN stays.

    Source:
        Holm 1979, Scandinavian Journal of Statistics 6(2):65-70.

    Example:
        >>> correct_holm([0.01, 0.5, 0.03])
        [0.03, 0.5, 0.06]
    """
    values = np.asarray(p_values, np.float64)
    corrected = np.full(values.shape, np.nan)
    defined = np.flatnonzero(~np.isnan(values))
    order = defined[np.argsort(values[defined], kind='stable')]
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(1, np.maximum.accumulate(values[order] * factors))
    return corrected.tolist()


def list_subjects(
    table: SubjectTable, run: str, facts: Mapping[str, SubjectFacts]
) -> list[Row]:
    """A row per subject: what every number of the page can be traced to."""
    rows = []
    for place, name in enumerate(table.subjects):
        known = facts.get(name, SubjectFacts())
        tp, fp, fn, _ = (int(value) for value in table.counts[place])
        rows.append(
            {
                'run': run,
                'subject': name,
                'site': known.site,
                'volume_bin': known.stratum,
                'tp_voxels': tp,
                'fp_voxels': fp,
                'fn_voxels': fn,
                'dice': round(float(table.scores['dice'][place]), 6),
            }
        )
    return rows


def _summarize(name: str, values: NDArray[np.float64]) -> Row:
    facts = summarize(values)
    interval = compute_bootstrap_interval(
        values[~np.isnan(values)], rng=np.random.default_rng(_SEED)
    )
    return {
        f'{name}_n': facts.n,
        f'{name}_n_undefined': facts.n_undefined,
        f'{name}_mean': facts.mean,
        f'{name}_sd': facts.sd,
        f'{name}_median': facts.median,
        f'{name}_low': interval.low,
        f'{name}_high': interval.high,
    }
