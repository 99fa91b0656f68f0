"""Everything a report shows, gathered from a work folder before anything is written.

Not here: HTML (``page``), files (``report``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmmed.reporting.evaluation_folder import (
    Evaluation,
    read_evaluations,
    read_run,
)
from mmmed.reporting.exposure import (
    HELD_OUT,
    MIXED,
    SEEN,
    UNKNOWN,
    Exposure,
    judge_exposure,
    read_training_part,
)
from mmmed.reporting.findings import Finding, collect_findings
from mmmed.reporting.tables import compute_levels
from mmmed.reporting.training_log import TrainingLog, read_training_log

# Patients a network never saw come first, whatever the folders are called.
_ORDER = (HELD_OUT, MIXED, UNKNOWN, SEEN)


@dataclass(frozen=True)
class Content:
    """What stands in a report.

    Args:
        name: Name of the work folder.
        evaluations: Held-out sets first.
        exposures: By name of the evaluation.
        levels: Scores by name of the evaluation, then of the structure.
        log: Training curves; without files if there are none.
        training_run: Run record of the training; empty if there is none.
        findings: What to know before believing a number, gravest first.
    """

    name: str
    evaluations: tuple[Evaluation, ...]
    exposures: Mapping[str, Exposure]
    levels: Mapping[str, Mapping[str, Mapping[str, Any]]]
    log: TrainingLog
    training_run: Mapping[str, Any]
    findings: tuple[Finding, ...]

    @property
    def labels(self) -> list[str]:
        """Structures of all evaluations, as first met."""
        names = (label for e in self.evaluations for label in e.labels)
        return list(dict.fromkeys(names))

    @property
    def dataset(self) -> str:
        """Name of the data set."""
        return str(self.evaluations[0].summary.get('dataset') or 'unknown data set')

    def describe(self, evaluation: Evaluation) -> str:
        """Name of an evaluation with what the network has seen of it."""
        return f'{evaluation.name} · {self.exposures[evaluation.name].label}'


def gather_content(work_dir: Path) -> Content:
    """Read, recompute and judge a finished run.

    Raises:
        FileNotFoundError: There is no folder or no evaluation in it.
        ValueError: A file that a report cannot do without is damaged.
    """
    evaluations = read_evaluations(work_dir)
    log = read_training_log(work_dir)
    part = read_training_part(work_dir)
    training_run = read_run(work_dir / 'run.json')
    exposures = {
        e.name: judge_exposure(
            e, part, trained_manifest=training_run.get('manifest_sha256')
        )
        for e in evaluations
    }
    ordered = sorted(
        evaluations, key=lambda e: (_ORDER.index(exposures[e.name].kind), e.name)
    )
    levels = {e.name: compute_levels(e) for e in ordered}
    return Content(
        name=work_dir.resolve().name,
        evaluations=tuple(ordered),
        exposures=exposures,
        levels=levels,
        log=log,
        training_run=training_run,
        findings=tuple(collect_findings(ordered, exposures, levels, log)),
    )
