"""A folder of regions to predictions of an ensemble: resumable, one bad case aside.

Not here: finding and loading models (``classifier_models``), deciding
(``classification_ensemble``).
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mmmed.files import hash_file, write_csv_atomic, write_json_atomic
from mmmed.functional.classification_tables import (
    Resampling,
    list_confusion_rows,
    list_score_rows,
)
from mmmed.inference.classification_ensemble import (
    Voter,
    decide,
    list_cases,
    list_prediction_rows,
    make_voter,
    summarize_verdicts,
)
from mmmed.inference.classification_options import ClassificationOptions
from mmmed.inference.classifier_models import (
    LoadedClassifier,
    find_classifiers,
    load_classifier,
)
from mmmed.inference.classifier_prediction import (
    FORMAT,
    ModelAnswers,
    build_dataset,
    keep_answers,
    make_file_name,
    predict_folder,
)
from mmmed.progress import Progress
from mmmed.structures.manifest import Manifest
from mmmed.structures.run_record import RunRecord

EXIT_DONE, EXIT_SOME_FAILED = 0, 3
_log = logging.getLogger(__name__)


@dataclass
class ClassificationOutcome:
    """What a run did.

    Attributes:
        out: Folder of the results.
        models: Models that answered.
        cases: Cases that were decided.
        failed: Error of each case that some model could not answer.
        made: Models that had to be run; the others had been.
        composite: Accuracy over all targets, weighted by classes; None without labels.
        accuracy: By target; only where labels are.
    """

    out: Path
    models: list[str]
    cases: int
    failed: dict[str, str]
    made: int
    composite: float | None = None
    accuracy: dict[str, float] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """0, or 3 if a case failed."""
        return EXIT_SOME_FAILED if self.failed else EXIT_DONE

    def summarize(self) -> dict[str, Any]:
        """Numbers for people and machines."""
        return asdict(self) | {'out': str(self.out), 'models': len(self.models)}


def list_models(
    roots: Sequence[str | Path], options: ClassificationOptions
) -> dict[str, Path]:
    """Checkpoint of each model, by name, that a run would use.

    Raises:
        FileNotFoundError: A root is absent.
        ValueError: There is no checkpoint below one, or weights do not fit.
    """
    found = find_classifiers(roots, choice=options.choice)
    if options.weights is not None and options.rule != 'weighted':
        raise ValueError('--weights are for --ensemble weighted, which is not chosen')
    if options.weights is not None and len(options.weights) != len(found):
        raise ValueError(
            f'{len(options.weights)} weights for {len(found)} models: {list(found)}'
        )
    return found


def classify_regions(
    roots: Sequence[str | Path],
    source: str | Path,
    out: str | Path,
    options: ClassificationOptions | None = None,
) -> ClassificationOutcome:
    """Predict every region of a prepared folder with every model below some roots.

    Writes ``predictions.csv`` (a row a case and target), ``metrics.json``,
    ``scores.csv`` and ``confusion.csv`` if any label is known, ``run.json``, and
    ``models/<name>.json`` with the answers of each model: a killed run goes on after
    the last finished model.

    Args:
        roots: Work folders, or folders of them.
        source: Prepared folder, whose manifest has unit ``'roi'``.
        out: Folder of the results.
        options: See :class:`ClassificationOptions`.

    Raises:
        FileNotFoundError: A root or the manifest is absent.
        ValueError: A model is refused, does not fit the data or the other models, or
            ``out`` holds answers of other settings.
        OSError: ``out`` cannot be written.
    """
    options = options or ClassificationOptions()
    source, out = Path(source), Path(out)
    manifest_path = source / 'manifest.json'
    manifest = Manifest.read(manifest_path)
    if manifest.unit != 'roi':
        raise ValueError(
            f'{manifest_path}: cases are {manifest.unit}s, expected regions of '
            'interest; prepare them with tools/prepare_dataset.py lesion-rois'
        )
    models = list_models(roots, options)
    record = RunRecord.start(manifest_sha256=hash_file(manifest_path))
    voters: list[Voter] = []
    failed: dict[str, str] = {}
    facts: dict[str, Any] = {}
    made = 0
    for index, (name, path) in enumerate(models.items()):
        classifier = load_classifier(name, path, options.device)
        check_data(classifier, manifest, options.role)
        answers, is_new = _answer(classifier, manifest, manifest_path, out, options)
        made += is_new
        failed |= {k: f'{name}: {v}' for k, v in answers.failed.items()}
        weight = None if options.weights is None else options.weights[index]
        calibration = classifier.calibration if options.calibrate else {}
        targets = classifier.description.targets
        voters.append(make_voter(name, targets, answers, calibration, weight))
        facts[name] = _describe(classifier, answers, manifest)
    outcome = _finish(voters, facts, failed, out, options)
    outcome.made = made
    record.finish()
    settings = asdict(options) | {'models': facts}
    write_json_atomic(out / 'run.json', asdict(record) | {'classification': settings})
    return outcome


def check_data(
    classifier: LoadedClassifier, manifest: Manifest, role: str | None
) -> None:
    """Refuse data that would mean something else to the model.

    Args:
        classifier: The model.
        manifest: Of the data.
        role: As in :class:`ClassificationOptions`.

    Raises:
        ValueError: A target of both has different classes, or the model's folds are
            asked for and those of the data are others.
    """
    known = manifest.metainfo['targets']
    for name, classes in classifier.description.targets.items():
        if name in known and tuple(known[name]) != classes:
            raise ValueError(
                f'{classifier.path}: classes of {name!r} are {list(classes)}, and '
                f'{list(known[name])} in the data; the same index would mean another '
                'class'
            )
    ours = classifier.description.split.get('split_hash')
    if role is not None and ours != manifest.split_hash:
        raise ValueError(
            f'{classifier.path} was trained on another split of patients than the '
            'manifest says, so which cases it has not seen is unknown; leave out '
            '--role, or take the data it was trained on'
        )


def count_seen(
    classifier: LoadedClassifier, answers: ModelAnswers, manifest: Manifest
) -> int:
    """Answered cases that the model was trained or chosen on, as far as is known."""
    split = classifier.description.split
    if not split.get('split_hash') or split['split_hash'] != manifest.split_hash:
        return 0
    by_name = {case.case_id: case for case in manifest.cases}
    roles = [by_name[c.case_id].get_role(split.get('fold')) for c in answers.cases]
    return sum(role in ('train', 'val') for role in roles)


def _answer(
    classifier: LoadedClassifier,
    manifest: Manifest,
    manifest_path: Path,
    out: Path,
    options: ClassificationOptions,
) -> tuple[ModelAnswers, bool]:
    selection: dict[str, Any] = {}
    if options.role is not None:
        selection = {'role': options.role, 'fold': _get_fold(classifier)}
    settings = {
        'format': FORMAT,
        'weights_sha256': classifier.sha256,
        'manifest_sha256': hash_file(manifest_path),
        **selection,
    }
    path = out / 'models' / f'{make_file_name(classifier.name)}.json'
    if options.overwrite:
        path.unlink(missing_ok=True)

    def make() -> ModelAnswers:
        dataset = build_dataset(classifier, manifest, manifest_path.parent, **selection)
        with Progress(
            classifier.name, len(dataset), 'case', quiet=options.quiet
        ) as progress:
            return predict_folder(
                classifier,
                dataset,
                batch_size=options.batch_size,
                workers=options.workers,
                step=progress.step,
            )

    return keep_answers(path, settings, make)


def _get_fold(classifier: LoadedClassifier) -> int:
    fold = classifier.description.split.get('fold')
    if fold is None:
        raise ValueError(
            f'{classifier.path} was trained without a fold, so which cases it has not '
            'seen is unknown; leave out --role'
        )
    return int(fold)


def _finish(
    voters: Sequence[Voter],
    facts: Mapping[str, Any],
    failed: Mapping[str, str],
    out: Path,
    options: ClassificationOptions,
) -> ClassificationOutcome:
    cases = list_cases(voters)
    outcome = ClassificationOutcome(out, list(facts), len(cases), dict(failed), 0)
    if not cases:
        raise ValueError(
            f'no case could be read, first {next(iter(failed.items()), None)}'
        )
    verdicts = decide(voters, cases, rule=options.rule)
    write_csv_atomic(out / 'predictions.csv', list_prediction_rows(verdicts))
    if any(verdict.answers.known.any() for verdict in verdicts.values()):
        resampling = Resampling(options.num_resamples, seed=options.seed)
        summary = summarize_verdicts(verdicts, voters, resampling)
        targets = summary['ensemble']
        write_json_atomic(
            out / 'metrics.json',
            {
                'schema_version': FORMAT,
                'rule': options.rule,
                'role': options.role,
                'num_cases': len(cases),
                'num_patients': len({case.patient_id for case in cases}),
                **summary,
            },
        )
        write_csv_atomic(out / 'scores.csv', list_score_rows(targets))
        write_csv_atomic(out / 'confusion.csv', list_confusion_rows(targets))
        outcome.composite = summary['composite']
        outcome.accuracy = {
            name: target['scores']['accuracy']['value']
            for name, target in targets.items()
            if target['n']
        }
    else:  # of an earlier run, when labels were there
        for name in ('metrics.json', 'scores.csv', 'confusion.csv'):
            (out / name).unlink(missing_ok=True)
    return outcome


def _describe(
    classifier: LoadedClassifier, answers: ModelAnswers, manifest: Manifest
) -> dict[str, Any]:
    seen = count_seen(classifier, answers, manifest)
    if seen:
        _log.warning(
            '%s: %d of %d cases took part in its training or choice, its scores are '
            'too good; use --role test, or other data',
            classifier.name,
            seen,
            len(answers.cases),
        )
    description = classifier.description
    return {
        'checkpoint': classifier.path.name,
        'sha256': classifier.sha256,
        'sequences': list(description.sequences),
        'targets': {name: list(k) for name, k in description.targets.items()},
        'split': dict(description.split),
        'calibrated': sorted(classifier.calibration),
        'cases': len(answers.cases),
        'seen_in_training': seen,
    }
