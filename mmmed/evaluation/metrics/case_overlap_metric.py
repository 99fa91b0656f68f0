"""Overlap per image, per patient and pooled, as a metric of MMEngine's loops.

Not here: counting, scoring and averaging (``mmmed.functional.overlap`` and
``aggregation``), and files (``mmmed.engine`` writes the tables).
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.dist import all_gather_object
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from mmmed.functional.aggregation import (
    DEFINITIONS,
    LEVELS,
    sum_by_group,
    summarize_levels,
)
from mmmed.functional.overlap import (
    COUNT_NAMES,
    SCORE_NAMES,
    EmptyPolicy,
    compute_scores,
    count_overlap,
    label_outcomes,
)
from mmmed.registry import METRICS


@METRICS.register_module()
class CaseOverlapMetric(BaseMetric):
    """Dice, IoU, precision and recall of every structure at every level.

    Each image is counted once, in integers, whatever the number of processes and
    the padding of the sampler; a case that fails to arrive is an error. A structure
    that was missed scores as the empty policy says and never leaves a mean.

    Data samples need ``pred_sem_seg`` and ``gt_sem_seg`` of one size and the meta
    keys ``case_id`` and ``patient_id`` (``mmmed.PackMedInputs`` carries them).

    Returned keys, after the prefix ``overlap/``, shares in [0, 1]:

    - ``{dice,iou,precision,recall}_{image,patient,pooled}_<class>`` and
      ``dice_positive_image_<class>`` (images whose truth holds the class), for every
      class but the background (the first);
    - ``{hit,disjoint,missed,false_alarm,both_empty}_{image,patient}_<class>``:
      numbers of cases, see :func:`mmmed.functional.overlap.label_outcomes`;
    - ``detection_{sensitivity,specificity}_{image,patient}``: is any foreground
      predicted where there is any, and none where there is none;
    - ``mIoU``, ``mDice``: the host's pooled means, background included, in percent;
    - ``num_images``, ``num_patients``.

    A number without a single case behind it is NaN. After ``evaluate`` the object
    holds, in every process:

    - ``tables``: ``cases`` and ``patients``, lists of rows (one row a case and
      class) with counts, scores (``None`` where undefined) and the outcome;
    - ``summary``: JSON-ready definitions, policy, spread and bootstrap intervals,
      and the pooled counts.

    Args:
        ignore_index: Target label that is not counted.
        empty_policy: Fields of :class:`mmmed.functional.overlap.EmptyPolicy`.
        seed: Seed of the bootstrap.
        num_resamples: Bootstrap resamples.
        confidence: Nominal coverage of the intervals.
        collect_device: As in MMEngine; results are small and always gathered as
            objects.
        prefix: Replaces ``overlap``.

    Source:
        The pooled means follow mmseg 1.2.2 ``IoUMetric`` (a class that occurs
        nowhere leaves its mean). Differs: int64 sums instead of float32, no rounding.
    """

    default_prefix = 'overlap'

    def __init__(
        self,
        ignore_index: int = 255,
        empty_policy: Mapping[str, Any] | None = None,
        *,
        seed: int = 0,
        num_resamples: int = 2000,
        confidence: float = 0.95,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.ignore_index = ignore_index
        self.policy = EmptyPolicy(**(empty_policy or {}))
        self.seed = seed
        self.num_resamples = num_resamples
        self.confidence = confidence
        self.tables: dict[str, list[dict[str, Any]]] = {}
        self.summary: dict[str, Any] = {}
        self._announced: list[str] = []  # undefined numbers, told once

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Count each image of a batch; only plain integers are kept."""
        num_classes = len(self._get_classes())
        for sample in data_samples:
            case_id, patient_id = _get_identity(sample)
            pred = _get_labels(sample, 'pred_sem_seg')
            target = _get_labels(sample, 'gt_sem_seg')
            try:
                counts = count_overlap(
                    pred, target, num_classes, ignore_index=self.ignore_index
                )
            except ValueError as error:
                raise ValueError(f'case {case_id!r}: {error}') from error
            self.results.append(
                {
                    'case_id': case_id,
                    'patient_id': patient_id,
                    'slice_index': sample.get('slice_index'),
                    'spacing': _get_spacing(sample),
                    'counts': counts.tolist(),
                }
            )

    def evaluate(self, size: int) -> dict[str, float]:
        """Metrics of the whole dataset; the same numbers in every process.

        Args:
            size: Number of different images that must have arrived.

        Raises:
            ValueError: Another number of images arrived, or an id is not unique.
        """
        # The base class pairs the ranks' results up to the shortest and cuts the
        # tail; here every result is gathered and doubles are recognised by name.
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
        classes = self._get_classes()
        results = sorted(_drop_duplicates(results), key=_get_order)
        shape = (len(results), len(classes), len(COUNT_NAMES))
        counts = np.array([r['counts'] for r in results], np.int64).reshape(shape)
        patients = [result['patient_id'] for result in results]
        self.tables = self._make_tables(results, counts, patients)
        self.summary = self._summarize(counts, patients)
        metrics = _flatten(self.summary)
        undefined = [name for name, value in metrics.items() if math.isnan(value)]
        if undefined and undefined != self._announced:
            self._announced = undefined
            MMLogger.get_current_instance().warning(
                'no case is behind %s: NaN', ', '.join(undefined)
            )
        return metrics

    def _get_classes(self) -> list[str]:
        classes = (self.dataset_meta or {}).get('classes')
        if not classes or len(classes) < 2:
            raise ValueError(
                f'dataset classes are {classes!r}, expected the background and at '
                "least one structure in the dataset's METAINFO"
            )
        return list(classes)

    def _summarize(self, counts: np.ndarray, patients: list[str]) -> dict[str, Any]:
        """Everything that is not a row of a table; plain values, JSON-ready."""
        classes = self._get_classes()
        # Counts of "any foreground" are those of the background with roles swapped.
        layers = {'any_foreground': counts[:, 0, [3, 2, 1, 0]]} | {
            name: counts[:, index] for index, name in enumerate(classes) if index
        }
        levels = {
            name: summarize_levels(
                layer,
                patients,
                policy=self.policy,
                rng=np.random.default_rng(self.seed),
                confidence=self.confidence,
                num_resamples=self.num_resamples,
            )
            for name, layer in layers.items()
        }
        pooled = counts.sum(axis=0)
        return {
            'classes': classes,
            'num_images': len(patients),
            'num_patients': len(set(patients)),
            'ignore_index': self.ignore_index,
            'empty_policy': self.policy.as_dict(),
            'bootstrap': {
                'unit': 'patient',
                'method': 'percentile',
                'seed': self.seed,
                'num_resamples': self.num_resamples,
                'confidence': self.confidence,
            },
            'definitions': DEFINITIONS,
            'detection': levels.pop('any_foreground')['detection'],
            'structures': levels,
            'host': _compute_host_means(pooled),
            'pooled_counts': {
                name: dict(zip(COUNT_NAMES, pooled[index].tolist(), strict=True))
                for index, name in enumerate(classes)
            },
        }

    def _make_tables(
        self, results: list[dict], counts: np.ndarray, patients: list[str]
    ) -> dict[str, list[dict[str, Any]]]:
        """Rows of cases and of patients, one per structure."""
        names, sums = sum_by_group(counts, patients)
        case_facts = [
            {
                'case_id': result['case_id'],
                'patient_id': result['patient_id'],
                'slice_index': result['slice_index'],
                'pixel_area_mm2': math.prod(result['spacing'])
                if result['spacing']
                else None,
            }
            for result in results
        ]
        patient_facts = [
            {'patient_id': name, 'num_images': patients.count(name)} for name in names
        ]
        return {
            'cases': self._make_rows(case_facts, counts),
            'patients': self._make_rows(patient_facts, sums),
        }

    def _make_rows(
        self, facts: list[dict[str, Any]], counts: np.ndarray
    ) -> list[dict[str, Any]]:
        scores = {
            name: [[None if math.isnan(v) else v for v in row] for row in table]
            for name, table in (
                (name, array.tolist())
                for name, array in compute_scores(counts, policy=self.policy).items()
            )
        }
        outcomes = label_outcomes(counts)
        rows = []
        for row, fact in enumerate(facts):
            for index, label in enumerate(self._get_classes()):
                if index == 0:
                    continue
                cell = dict(zip(COUNT_NAMES, counts[row, index].tolist(), strict=True))
                rows.append(
                    fact
                    | {'label': label, 'outcome': str(outcomes[row, index])}
                    | {
                        'target_pixels': cell['tp'] + cell['fn'],
                        'pred_pixels': cell['tp'] + cell['fp'],
                    }
                    | cell
                    | {name: table[row][index] for name, table in scores.items()}
                )
        return rows


def _flatten(summary: Mapping[str, Any]) -> dict[str, float]:
    """Names and numbers for the log, the checkpoint hook and early stopping."""
    metrics: dict[str, float] = {}
    for label, levels in summary['structures'].items():
        suffix = re.sub(r'\W+', '_', label)
        for level in LEVELS:
            # The log line is long enough; the summary has every score of this level.
            names = ('dice',) if level == 'positive_image' else SCORE_NAMES
            for name in names:
                value = levels['scores'][level][name]['value']
                metrics[f'{name}_{level}_{suffix}'] = _to_number(value)
        for level, outcomes in levels['outcomes'].items():
            for name, number in outcomes.items():
                metrics[f'{name}_{level}_{suffix}'] = number
    for level, shares in summary['detection'].items():
        for name, entry in shares.items():
            metrics[f'detection_{name}_{level}'] = _to_number(entry['value'])
    for name in ('mIoU', 'mDice'):
        metrics[name] = _to_number(summary['host'][name])
    for name in ('num_images', 'num_patients'):
        metrics[name] = summary[name]
    return metrics


def _to_number(value: float | None) -> float:
    return math.nan if value is None else value


def _compute_host_means(pooled: np.ndarray) -> dict[str, Any]:
    """The host's mIoU and mDice in percent: absent classes leave the mean."""
    scores = compute_scores(pooled)
    result: dict[str, Any] = {}
    for name, key in (('iou', 'mIoU'), ('dice', 'mDice')):
        # The default policy equals the host's arithmetic: 0/0 is the only NaN.
        present = [value * 100 for value in scores[name].tolist() if value == value]
        result[key] = sum(present) / len(present) if present else None
        result[f'{key}_num_classes'] = len(present)
    return result


def _drop_duplicates(results: list[dict]) -> list[dict]:
    """One result per case: samplers repeat cases so that all ranks have as many.

    Raises:
        ValueError: Two results of one id belong to different images.
    """
    unique: dict[str, dict] = {}
    for result in results:
        first = unique.setdefault(result['case_id'], result)
        if _get_target(first) != _get_target(result):
            raise ValueError(
                f'case id {result["case_id"]!r} names two different images; case ids '
                'must be unique'
            )
    return list(unique.values())


def _get_target(result: Mapping[str, Any]) -> tuple:
    """What depends on the case alone; a prediction may differ in a last bit."""
    areas = [tp + fn for tp, _, fn, _ in result['counts']]
    return result['patient_id'], result['slice_index'], areas


def _get_order(result: Mapping[str, Any]) -> tuple:
    slice_index = result['slice_index']
    position = -1 if slice_index is None else slice_index
    return result['patient_id'], position, result['case_id']


def _get_identity(sample: Mapping[str, Any]) -> tuple[str, str]:
    missing = [key for key in ('case_id', 'patient_id') if sample.get(key) is None]
    if missing:
        raise ValueError(
            f'data sample of {sample.get("img_path", "unknown image")} has no '
            f'{" and no ".join(missing)}; pack with mmmed.PackMedInputs, or name the '
            'keys in meta_keys of the packing transform'
        )
    return str(sample['case_id']), str(sample['patient_id'])


def _get_labels(sample: Mapping[str, Any], key: str) -> np.ndarray:
    """Label map (*space) of (1, *space), as an array."""
    labels = sample[key]['data'].detach().cpu().numpy()
    return labels[0] if labels.ndim > 2 and labels.shape[0] == 1 else labels


def _get_spacing(sample: Mapping[str, Any]) -> list[float] | None:
    spacing = sample.get('spacing')
    return None if spacing is None else [float(size) for size in spacing]
