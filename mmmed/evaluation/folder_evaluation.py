"""Two folders of masks to tables and a summary: the whole evaluation.

``OUT/cases.csv``, ``lesions.csv``, ``slices.csv`` (with a plane), ``comparison.csv``
(with a second folder), ``summary.json``, ``run.json``; and ``.cases/``, what a run that
was stopped goes on from. Not here: each of the steps, the page (``mmmed.reporting``).
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmmed.evaluation.case_groups import NO_GROUPS, CaseGroups, read_groups
from mmmed.evaluation.case_records import ScoreRecord, ScoreTask, remove_unused
from mmmed.evaluation.folder_pairs import Pairing, find_pairs
from mmmed.evaluation.folder_run import run_tasks
from mmmed.evaluation.results_folder import ResultsFolder
from mmmed.evaluation.score_definitions import METRICS
from mmmed.evaluation.score_options import ScoreOptions
from mmmed.evaluation.score_summary import SummaryOptions
from mmmed.evaluation.score_tables import build_tables, compare_tables, list_labels
from mmmed.evaluation.summary_document import build_summary
from mmmed.structures.run_record import RunRecord

_log = logging.getLogger(__name__)
EXIT_DONE, EXIT_SOME_FAILED = 0, 3


@dataclass(frozen=True)
class FolderOptions:
    """Which files are scored, and how the work is done.

    Args:
        compare: Folder of a second set of predictions, scored on the same references.
        groups: CSV file of patients and groups, see
            :func:`mmmed.evaluation.case_groups.read_groups`.
        pred_pattern: See :func:`mmmed.evaluation.folder_pairs.find_masks`; also for
            ``compare``.
        target_pattern: The same for the references.
        allow_missing_reference: Leave predictions without a reference out.
        workers: Processes.
        overwrite: Replace results of other folders or options, score everything anew.
        quiet: Show no progress.
    """

    compare: Path | None = None
    groups: Path | None = None
    pred_pattern: str = '{case}'
    target_pattern: str = '{case}'
    allow_missing_reference: bool = False
    workers: int = 1
    overwrite: bool = False
    quiet: bool = False


@dataclass(frozen=True)
class EvaluationOutcome:
    """What an evaluation found.

    Args:
        out: Folder of the results.
        summary: As in ``summary.json``.
    """

    out: Path
    summary: dict[str, Any]

    @property
    def exit_code(self) -> int:
        """0, or 3 if some case failed."""
        return EXIT_SOME_FAILED if self.summary['failed'] else EXIT_DONE


def evaluate_folders(
    pred: str | Path,
    target: str | Path,
    out: str | Path,
    scoring: ScoreOptions | None = None,
    options: FolderOptions | None = None,
    summarizing: SummaryOptions | None = None,
) -> EvaluationOutcome:
    """Score every prediction of a folder, and write tables and summary.

    The files are the same for any number of workers and for a run that was stopped
    and went on; only ``run.json`` tells when and where.

    Args:
        pred: Folder of predicted masks, or one file.
        target: Folder of reference masks, or one file.
        out: Folder of the results.
        scoring: How a case is scored.
        options: Which files, and how the work is done.
        summarizing: Of the summary.

    Raises:
        FileNotFoundError: A folder or table does not exist.
        ValueError: Names do not match, ``out`` holds other results, no mask holds a
            label, or not one case could be scored.
        OSError: ``out`` cannot be written.
    """
    scoring, options = scoring or ScoreOptions(), options or FolderOptions()
    summarizing = summarizing or SummaryOptions()
    inputs = {'pred': Path(pred), 'target': Path(target), 'compare': options.compare}
    results = ResultsFolder(Path(out), inputs, scoring)
    results.check(overwrite=options.overwrite)
    sides = _find_sides(inputs, options)
    groups = _read_groups(options.groups, sides['a'])
    record = RunRecord.start(seed=summarizing.seed)
    results.write_run(record)
    records, failed = _score(sides, scoring, options, results.records)
    labels = list_labels([r for side in records.values() for r in side], scoring.labels)
    if not labels:
        raise ValueError(
            f'no mask of {pred} and {target} holds a label; name the labels to score '
            'empty masks (--labels NAME=VALUE)'
        )
    if scoring.labels is None and '255' in labels[1:]:
        _log.warning(
            'value 255 is scored as a structure beside others; if it marks voxels to '
            'leave out, say so (--ignore-label 255)'
        )
    tables = build_tables(records['a'], labels, scoring, groups)
    comparison = None
    if options.compare is not None:
        second = build_tables(records['b'], labels, scoring, groups)
        comparison = compare_tables(tables.cases, second.cases)
    summary = {
        **results.describe(),
        **_describe_cases(sides, records, failed, groups),
        **build_summary(tables, comparison, labels, groups, summarizing, scoring),
    }
    results.write_tables(tables, comparison)
    results.write_summary(summary)
    record.finish()
    results.write_run(record)
    return EvaluationOutcome(results.out, summary)


def _find_sides(
    inputs: Mapping[str, Path | None], options: FolderOptions
) -> dict[str, Pairing]:
    """Pairs of the predictions, and of those compared with them."""
    assert inputs['target'] is not None
    sides = {'a': inputs['pred'], 'b': inputs['compare']}
    return {
        side: find_pairs(
            folder,
            inputs['target'],
            pred_pattern=options.pred_pattern,
            target_pattern=options.target_pattern,
            allow_missing_reference=options.allow_missing_reference,
        )
        for side, folder in sides.items()
        if folder is not None
    }


def _read_groups(path: Path | None, pairing: Pairing) -> CaseGroups:
    if path is None:
        return NO_GROUPS
    case_ids = [pair.case_id for pair in pairing.pairs]
    reserved = ('label', 'outcome', 'pred_missing', 'tp', 'fp', 'fn', 'tn', *METRICS)
    return read_groups(path, case_ids, reserved=reserved)


def _score(
    sides: Mapping[str, Pairing],
    scoring: ScoreOptions,
    options: FolderOptions,
    folder: Path,
) -> tuple[dict[str, list[ScoreRecord]], list[dict[str, str]]]:
    """Records by side, and cases that failed with the reason."""
    tasks = [
        ScoreTask(pair, side, scoring, folder)
        for side, pairing in sides.items()
        for pair in pairing.pairs
    ]
    remove_unused(folder, [] if options.overwrite else tasks)
    reasons = run_tasks(tasks, workers=options.workers, quiet=options.quiet)
    records: dict[str, list[ScoreRecord]] = {side: [] for side in sides}
    failed = []
    for index, task in enumerate(tasks):
        fields = None
        if index not in reasons:
            fields = task.read_record()
            reasons.setdefault(index, 'its files changed meanwhile; run it again')
        if fields is not None:
            records[task.side].append(ScoreRecord.from_dict(fields))
            continue
        case_id, reason = task.pair.case_id, reasons[index]
        failed.append({'case_id': case_id, 'side': task.side, 'error': reason})
    for side, scored in records.items():
        if not scored:
            error = next(one['error'] for one in failed if one['side'] == side)
            raise ValueError(f'not one case could be scored; the first: {error}')
    return records, failed


def _describe_cases(
    sides: Mapping[str, Pairing],
    records: Mapping[str, Sequence[ScoreRecord]],
    failed: Sequence[Mapping[str, str]],
    groups: CaseGroups,
) -> dict[str, Any]:
    case_ids = [record.case_id for record in records['a']]
    notes: dict[str, int] = {}
    for record in records['a']:
        for note in record.notes:
            notes[note] = notes.get(note, 0) + 1
    return {
        'num_cases': len(case_ids),
        'num_patients': len(set(groups.get_units(case_ids)))
        if groups.patients is not None
        else None,
        'missing_predictions': list(sides['a'].missing_predictions),
        'missing_references': list(sides['a'].missing_references),
        'missing_in_compared': list(sides['b'].missing_predictions)
        if 'b' in sides
        else None,
        'failed': [dict(one) for one in failed],
        'notes': dict(sorted(notes.items())),
    }
