"""Scores of classifications with several targets, as a metric of MMEngine's loops.

Not here: the scores (``mmmed.functional.classification_scores``) and their tables
(``classification_tables``), files (``mmmed.engine`` writes them).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.dist import all_gather_object
from mmengine.evaluator import BaseMetric
from mmengine.logging import MessageHub

from mmmed.evaluation.metrics.case_metric import make_suffix, to_cell, to_number
from mmmed.evaluation.metrics.data_samples import read_identity
from mmmed.functional.classification_selection import compute_composite_score
from mmmed.functional.classification_tables import (
    Resampling,
    TargetAnswers,
    fit_calibration,
    list_case_rows,
    list_confusion_rows,
    list_score_rows,
    summarize_target,
)
from mmmed.registry import METRICS

Row = dict[str, Any]
_MEANS = ('accuracy', 'balanced_accuracy', 'auc_macro', 'log_loss')


@METRICS.register_module()
class ClassificationMetric(BaseMetric):
    """Scores of every target over its labelled cases, each case counted once.

    Data samples are :class:`~mmmed.structures.roi_sample.ROISample` with
    ``pred_logits``, ``gt_targets`` and the meta keys ``case_id`` and ``patient_id``;
    the dataset's ``targets`` name the classes. A case that the sampler repeats, so that
    all processes have as many, is counted once.

    Returned keys, after the prefix ``cls/``, ``<t>`` being a target:

    - ``<t>_{accuracy,balanced_accuracy,f1_macro,kappa,kappa_quadratic,auc_macro,\
auc_micro,ap_macro,log_loss,brier,ece}``;
    - ``<t>_{sensitivity,specificity,ppv,npv,f1,auc,ap}_<class>``, and the first four
      with ``_youden`` once :attr:`calibration` is set; of two classes the second;
    - ``{accuracy,balanced_accuracy,auc_macro,log_loss}_mean`` over the targets that
      have a value;
    - ``composite``: accuracy of all targets weighted by their classes, for the choice
      of the best checkpoint;
    - ``num_cases``, ``num_patients``.

    A number without a case behind it is NaN. After ``evaluate`` the object holds, in
    every process, ``tables`` (``cases``: one row a case and target; ``scores``;
    ``confusion``), ``summary`` (JSON-ready, with patient-level bootstrap intervals) and
    ``fitted`` (temperature and thresholds fitted on these very cases: for others).

    Args:
        num_resamples: Bootstrap resamples; 0, for validations that train, for none.
        confidence: Nominal coverage of the intervals.
        seed: Of the bootstrap.
        warmup_epochs: Epochs after which ``composite`` is no longer held back, 120 in
            the reference; None never holds it back.
        collect_device: As in MMEngine; results are small and always gathered as
            objects.
        prefix: Replaces ``cls``.
    """

    default_prefix = 'cls'

    def __init__(
        self,
        num_resamples: int = 1000,
        confidence: float = 0.95,
        seed: int = 0,
        warmup_epochs: int | None = None,
        *,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.resampling = Resampling(num_resamples, confidence, seed)
        self.warmup_epochs = warmup_epochs
        self.calibration: Mapping[str, Mapping[str, Any]] = {}
        self.tables: dict[str, list[Row]] = {}
        self.summary: dict[str, Any] = {}
        self.fitted: dict[str, dict[str, Any]] = {}

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep identity, labels and logits of each case."""
        for sample in data_samples:
            case_id, patient_id = read_identity(sample)
            available = sample.get('available')
            logits = sample['pred_logits']
            self.results.append(
                {
                    'case_id': case_id,
                    'patient_id': patient_id,
                    'size_mm': sample.get('size_mm'),
                    'sequences': None if available is None else int(available.sum()),
                    'truth': dict(sample.get('gt_targets', {})),
                    'logits': {k: v.double().tolist() for k, v in logits.items()},
                }
            )

    def evaluate(self, size: int) -> dict[str, float]:
        """Metrics of the whole dataset; the same numbers in every process.

        Args:
            size: Number of different cases that must have arrived.

        Raises:
            ValueError: Another number of cases arrived, or an id is not unique.
        """
        gathered = [item for part in all_gather_object(self.results) for item in part]
        self.results.clear()
        results = _drop_duplicates(gathered)
        if len(results) != size:
            raise ValueError(
                f'{len(results)} different case ids arrived, expected {size}: case '
                'ids must be unique and every case must be evaluated'
            )
        metrics = self.compute_metrics(results)
        return {f'{self.prefix}/{name}': value for name, value in metrics.items()}

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Flat metrics of gathered results; fills ``tables`` and ``summary``."""
        results = sorted(
            _drop_duplicates(results), key=lambda r: (r['patient_id'], r['case_id'])
        )
        answers = self._list_answers(results)
        facts = ('case_id', 'patient_id', 'size_mm', 'sequences')
        cases = [{name: result[name] for name in facts} for result in results]
        patients = [result['patient_id'] for result in results]
        targets = {
            answer.name: summarize_target(answer, patients, self.resampling)
            for answer in answers
        }
        self.fitted = fit_calibration(answers)
        self.tables = {
            'cases': list_case_rows(cases, answers),
            'scores': list_score_rows(targets),
            'confusion': list_confusion_rows(targets),
        }
        self.summary = {
            'num_cases': len(results),
            'num_patients': len(set(patients)),
            'targets': targets,
            'composite': to_cell(self._compose(targets)),
            'bootstrap': {
                'unit': 'patient',
                'method': 'percentile',
                'seed': self.resampling.seed,
                'num_resamples': self.resampling.num_resamples,
                'confidence': self.resampling.confidence,
            },
        }
        return self._flatten()

    def _list_answers(self, results: Sequence[Row]) -> list[TargetAnswers]:
        classes = (self.dataset_meta or {}).get('targets') or {}
        names = list(results[0]['logits']) if results else []
        answers = []
        for name in names:
            if name not in classes:
                raise ValueError(
                    f'the model predicts {name!r}, and targets of the data are '
                    f'{list(classes)}; correct targets of the head'
                )
            known = self.calibration.get(name, {})
            cuts = known.get('thresholds')
            answers.append(
                TargetAnswers(
                    name,
                    tuple(classes[name]),
                    np.array([r['truth'].get(name, -1) for r in results], np.int64),
                    np.array([r['logits'][name] for r in results], np.float64),
                    known.get('temperature', 1.0),
                    None if cuts is None else tuple(map(to_number, cuts)),
                )
            )
        return answers

    def _compose(self, targets: Mapping[str, Mapping[str, Any]]) -> float:
        epoch = None
        if self.warmup_epochs is not None:
            epoch = MessageHub.get_current_instance().get_info('epoch')
        return compute_composite_score(
            [int(np.trace(target['confusion'])) for target in targets.values()],
            [target['n'] for target in targets.values()],
            [len(target['classes']) for target in targets.values()],
            epoch=None if epoch is None else int(epoch),
            warmup_epochs=self.warmup_epochs or 1,
        )

    def _flatten(self) -> dict[str, float]:
        flat: dict[str, float] = {}
        targets = self.summary['targets']
        for name, target in targets.items():
            for score, entry in target['scores'].items():
                flat[f'{name}_{score}'] = to_number(entry['value'])
            labels = target['classes'][1:] if len(target['classes']) == 2 else None
            for label in labels or target['classes']:
                suffix = make_suffix(label)
                for score, entry in target['class_scores'][label].items():
                    flat[f'{name}_{score}_{suffix}'] = to_number(entry['value'])
        for score in _MEANS:
            values = [flat[f'{name}_{score}'] for name in targets]
            known = [value for value in values if not math.isnan(value)]
            flat[f'{score}_mean'] = sum(known) / len(known) if known else math.nan
        flat['composite'] = to_number(self.summary['composite'])
        flat['num_cases'] = float(self.summary['num_cases'])
        flat['num_patients'] = float(self.summary['num_patients'])
        return flat


def _drop_duplicates(results: Sequence[Row]) -> list[Row]:
    unique: dict[str, Row] = {}
    for result in results:
        first = unique.setdefault(result['case_id'], result)
        for key in ('patient_id', 'truth'):
            if first[key] != result[key]:
                raise ValueError(
                    f'case id {result["case_id"]!r} names two different cases; case '
                    'ids must be unique'
                )
    return list(unique.values())
