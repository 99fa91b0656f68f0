"""What metrics per case share: identity, counting, gathering, rows of a table.

Not here: what a metric measures (the other modules), how levels are averaged
(``mmmed.functional.aggregation``), and files (``mmmed.engine`` writes the tables).
"""

import math
import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.dist import all_gather_object
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from numpy.typing import NDArray

from mmmed.evaluation.metrics.data_samples import (
    read_identity,
    read_labels,
    read_spacing,
)
from mmmed.functional.overlap import (
    COUNT_NAMES,
    EmptyPolicy,
    count_overlap,
    label_outcomes,
)

Row = dict[str, Any]


class CaseMetric(BaseMetric):
    """Base of metrics that measure every image or volume on its own.

    Each case is measured once, whatever the number of processes and the padding of
    the sampler; a case that fails to arrive is an error. Data samples need
    ``pred_sem_seg`` and ``gt_sem_seg`` of one size and the meta keys ``case_id`` and
    ``patient_id`` (``mmmed.PackMedInputs`` carries them). Label maps are slices,
    (Y, X) or (1, Y, X), or volumes, (Z, Y, X) or (1, Z, Y, X); ``spacing`` has one
    length per axis of space.

    After ``evaluate`` the object holds, in every process, ``tables`` (name to rows;
    ``cases`` has one row a case and class) and ``summary`` (JSON-ready).

    A subclass says what it measures in a case (:meth:`measure_case`) and what
    follows from all cases (:meth:`summarize_results`, :meth:`flatten_summary`).

    Args:
        ignore_index: Target label that is not counted; nothing is predicted there.
        empty_policy: Fields of :class:`mmmed.functional.overlap.EmptyPolicy`.
        seed: Seed of the bootstrap.
        num_resamples: Bootstrap resamples.
        confidence: Nominal coverage of the intervals.
        collect_device: As in MMEngine; results are small and always gathered as
            objects.
        prefix: Replaces the prefix of the metric.
    """

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
        self.tables: dict[str, list[Row]] = {}
        self.summary: dict[str, Any] = {}
        self._announced: list[str] = []  # undefined numbers, told once

    def measure_case(
        self,
        pred: NDArray[Any],
        target: NDArray[Any],
        spacing: Sequence[float] | None,
    ) -> list[Row]:
        """Plain numbers of each structure of one case; none if its counts suffice.

        Args:
            pred: Label map, (Y, X) or (Z, Y, X).
            target: Label map of the same shape.
            spacing: In mm per axis, or ``None`` where the data do not say it.

        Raises:
            ValueError: The case cannot be measured; its id is put before the message.
        """
        return []

    def split_masks(
        self, pred: NDArray[Any], target: NDArray[Any]
    ) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
        """Masks of every structure; nothing is predicted where the target is ignored.

        Args:
            pred: Label map.
            target: Label map of the same shape.
        """
        kept = target != self.ignore_index
        for index in range(1, len(self.get_classes())):
            yield (pred == index) & kept, target == index

    @abstractmethod
    def summarize_results(
        self, results: Sequence[Row], counts: NDArray[np.int64]
    ) -> dict[str, Any]:
        """What follows from all cases; plain values, JSON-ready.

        Args:
            results: One per case: identity, counts and ``measures`` (one entry per
                structure, the background left out).
            counts: Shape (N, K, 4).
        """

    @abstractmethod
    def flatten_summary(self, summary: Mapping[str, Any]) -> dict[str, float]:
        """Names and numbers for the log, the checkpoint hook and early stopping."""

    def make_tables(
        self, results: Sequence[Row], counts: NDArray[np.int64]
    ) -> dict[str, list[Row]]:
        """Tables by name; arguments as :meth:`summarize_results`."""
        rows = self.list_rows(map(describe_case, results), counts)
        measures = [cells for result in results for cells in result['measures']]
        pairs = zip(rows, measures, strict=True)
        return {'cases': [row | _keep_cells(cells) for row, cells in pairs]}

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Measure each case of a batch; only plain numbers are kept."""
        num_classes = len(self.get_classes())
        for sample in data_samples:
            case_id, patient_id = read_identity(sample)
            spacing = read_spacing(sample)
            pred = read_labels(sample, 'pred_sem_seg', spacing)
            target = read_labels(sample, 'gt_sem_seg', spacing)
            try:
                counts = count_overlap(
                    pred, target, num_classes, ignore_index=self.ignore_index
                )
                measures = self.measure_case(pred, target, spacing)
            except ValueError as error:
                raise ValueError(f'case {case_id!r}: {error}') from error
            self.results.append(
                {
                    'case_id': case_id,
                    'patient_id': patient_id,
                    'slice_index': sample.get('slice_index'),
                    'spacing': spacing,
                    'counts': counts.tolist(),
                    'measures': measures,
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
        results = sorted(_drop_duplicates(results), key=_get_order)
        shape = (len(results), len(self.get_classes()), len(COUNT_NAMES))
        counts = np.array([r['counts'] for r in results], np.int64).reshape(shape)
        self.tables = self.make_tables(results, counts)
        self.summary = self._describe(results) | self.summarize_results(results, counts)
        metrics = self.flatten_summary(self.summary)
        undefined = [name for name, value in metrics.items() if math.isnan(value)]
        if undefined and undefined != self._announced:
            self._announced = undefined
            MMLogger.get_current_instance().warning(
                'no case is behind %s: NaN', ', '.join(undefined)
            )
        return metrics

    def get_classes(self) -> list[str]:
        """Names of the classes, background first.

        Raises:
            ValueError: The dataset names none, or only one.
        """
        classes = (self.dataset_meta or {}).get('classes')
        if not classes or len(classes) < 2:
            raise ValueError(
                f'dataset classes are {classes!r}, expected the background and at '
                "least one structure in the dataset's METAINFO"
            )
        return list(classes)

    def make_rng(self) -> np.random.Generator:
        """The source of resamples; the same for every structure."""
        return np.random.default_rng(self.seed)

    def _describe(self, results: Sequence[Row]) -> dict[str, Any]:
        """What every summary says, whatever was measured."""
        patients = {result['patient_id'] for result in results}
        return {
            'classes': self.get_classes(),
            'num_images': len(results),
            'num_patients': len(patients),
            'ignore_index': self.ignore_index,
            'empty_policy': self.policy.as_dict(),
            'bootstrap': {
                'unit': 'patient',
                'method': 'percentile',
                'seed': self.seed,
                'num_resamples': self.num_resamples,
                'confidence': self.confidence,
            },
        }

    def list_rows(
        self, facts: Iterator[Row] | Sequence[Row], counts: NDArray[np.int64]
    ) -> list[Row]:
        """Facts, label, outcome and counts: one row a case and structure.

        Args:
            facts: What is known of each case.
            counts: Shape (N, K, 4).
        """
        outcomes = label_outcomes(counts)
        rows = []
        for number, fact in enumerate(facts):
            for index, label in enumerate(self.get_classes()):
                if index == 0:
                    continue
                cells = counts[number, index].tolist()
                tp, fp, fn, _ = cells
                rows.append(
                    fact
                    | {'label': label, 'outcome': str(outcomes[number, index])}
                    | {'target_pixels': tp + fn, 'pred_pixels': tp + fp}
                    | dict(zip(COUNT_NAMES, cells, strict=True))
                )
        return rows


def describe_case(result: Mapping[str, Any]) -> Row:
    """Identity of a case and the size of its pixels: its area, or its volume."""
    spacing = result['spacing']
    size = math.prod(spacing) if spacing else None
    facts = {name: result[name] for name in ('case_id', 'patient_id', 'slice_index')}
    if spacing and len(spacing) == 3:
        return facts | {'voxel_volume_mm3': size}
    return facts | {'pixel_area_mm2': size}


def make_suffix(label: str) -> str:
    """A class name as it stands in the name of a metric."""
    return re.sub(r'\W+', '_', label)


def to_number(value: float | None) -> float:
    """A summary's number as MMEngine wants it: NaN where there is none."""
    return math.nan if value is None else value


def to_cell(value: float) -> float | None:
    """A number as tables and summaries want it: ``None`` where it is NaN."""
    return None if math.isnan(value) else value


def _keep_cells(cells: Mapping[str, Any]) -> Row:
    """What fits into a cell; lists are tables of their own."""
    return {key: value for key, value in cells.items() if not isinstance(value, list)}


def _drop_duplicates(results: Sequence[Row]) -> list[Row]:
    """One result per case: samplers repeat cases so that all ranks have as many.

    Raises:
        ValueError: Two results of one id belong to different images.
    """
    unique: dict[str, Row] = {}
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
