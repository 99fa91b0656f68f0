"""The way of one series through the stages, and its records.

Not here: loading networks (``cascade``), what a stage does.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.inference.cascade.cord_stage import CordFinding, segment_cord
from mmmed.inference.cascade.fine_grid import FineGrid
from mmmed.inference.cascade.gates import find_cord_slices, judge_series
from mmmed.inference.cascade.grey import GreyStack
from mmmed.inference.cascade.lesion_stage import LesionFinding, segment_lesions
from mmmed.inference.cascade.plausibility import list_doubts
from mmmed.inference.cascade.result import CascadeResult
from mmmed.inference.cascade.settings import CascadeSettings
from mmmed.inference.cascade.slice_network import SliceNetwork
from mmmed.inference.cascade.weights import LoadedGate, LoadedSegmenter
from mmmed.structures.stage_record import StageRecord

SERIES_GATES = ('anatomy', 'spine_location_view', 'spine_sequence')
SLICE_GATE = 'spinal_cord'
CORD, LESION = 'cord_segmentation', 'lesion_segmentation'
STAGES = (*SERIES_GATES, SLICE_GATE, CORD, LESION)


@dataclass
class SeriesAnalysis:
    """The way of one series through the stages.

    Args:
        settings: What a user may set.
        grey: The series.
        gates: By stage; one that is absent is left out, and the record says so.
        segmenters: By stage, both.
        networks: Of the segmenters.
    """

    settings: CascadeSettings
    grey: GreyStack
    gates: Mapping[str, LoadedGate]
    segmenters: Mapping[str, LoadedSegmenter]
    networks: Mapping[str, SliceNetwork]
    stages: list[StageRecord] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def run(self) -> CascadeResult:
        """Stage after stage, until one ends the analysis.

        Raises:
            ValueError: The series has no contrast.
        """
        filled = self.grey.find_filled()
        if not len(filled):
            raise ValueError('every slice holds a single value: no contrast')
        if not self._check_length() or not self._pass_series_gates():
            return self._finish()
        kept = self._find_cord_slices()
        if kept is None:
            return self._finish()
        cord = self._segment_cord(kept)
        if cord is None:
            return self._finish(kept)
        lesions = self._segment_lesions(cord, kept)
        return self._finish(kept, cord, lesions)

    def _check_length(self) -> bool:
        count = len(self.grey.stack.img)
        least = self.settings.processing.min_slices
        if count >= least:
            return True
        reason = f'{count} slice(s), expected at least {least} (min_slices)'
        return self._keep(_make_plain_record('series', reason, n_slices=count))

    def _pass_series_gates(self) -> bool:
        for stage in SERIES_GATES:
            if stage not in self.gates:
                self._skip(stage)
                continue
            gate = getattr(self.settings.models, stage)
            record = judge_series(
                self.gates[stage],
                self.grey,
                gate.accept,
                gate.threshold,
                max_slices=self.settings.processing.max_gate_slices,
                batch_size=self.settings.processing.batch_size,
            )
            if stage == 'spine_location_view':
                self._compare_view(record)
            if not self._keep(record):
                return False
        return True

    def _find_cord_slices(self) -> NDArray[np.intp] | None:
        everything = np.arange(len(self.grey.stack.img))
        if SLICE_GATE not in self.gates:
            self._skip(SLICE_GATE)
            return everything
        settings = self.settings
        record, kept = find_cord_slices(
            self.gates[SLICE_GATE],
            self.grey,
            settings.models.spinal_cord,
            batch_size=settings.processing.batch_size,
        )
        if not self._keep(record):
            return None
        return kept if len(kept) else everything

    def _segment_cord(self, kept: NDArray[np.intp]) -> CordFinding | None:
        start = time.perf_counter()
        models = self.settings.models
        segmenter = self.segmenters[CORD]
        cord = segment_cord(
            FineGrid(self.grey, segmenter.description),
            kept.tolist(),
            self.networks[CORD],
            models.cord_segmentation,
            min_area=models.spinal_cord.min_area,
        )
        slices = np.flatnonzero(cord.mask.any(axis=(1, 2))).tolist()
        voxels = int(np.count_nonzero(cord.mask))
        threshold = models.cord_segmentation.threshold
        record = _make_segmentation_record(
            segmenter,
            threshold,
            accepted=bool(voxels),
            reason=(
                f'{voxels} voxels of cord in {len(slices)} slices'
                if voxels
                else f'no cord: no piece of it exceeds the threshold {threshold:g}'
            ),
            n_slices=len(kept),
            seconds=time.perf_counter() - start,
            details={
                'voxels': voxels,
                'volume_mm3': round(voxels * self._voxel_mm3, 3),
                'slices': list(self.grey.stack.number_slices(slices)),
                'pixels': cord.pixels,
                'whole_pixels': cord.whole_pixels,
            },
        )
        self._check_plane(segmenter)
        return cord if self._keep(record) else None

    def _segment_lesions(
        self, cord: CordFinding, kept: NDArray[np.intp]
    ) -> LesionFinding:
        start = time.perf_counter()
        settings = self.settings
        segmenter = self.segmenters[LESION]
        crop = settings.models.cord_segmentation
        threshold = settings.processing.confidence_threshold
        lesions = segment_lesions(
            FineGrid(self.grey, segmenter.description),
            cord.mask,
            self.networks[LESION],
            settings.models.lesion_segmentation,
            threshold=threshold,
            margin_mm=crop.margin_mm,
            slices=None if crop.use_crop else kept.tolist(),
        )
        voxels = int(np.count_nonzero(lesions.mask))
        if lesions.outside_voxels:
            self.warnings.append(
                f'{LESION}: removed {lesions.outside_voxels} voxels outside the cord '
                f'({lesions.outside_components} lesion(s) entirely outside)'
            )
        record = _make_segmentation_record(
            segmenter,
            threshold,
            accepted=True,
            reason=f'{voxels} voxels of lesion',
            n_slices=int(np.count_nonzero(cord.mask.any(axis=(1, 2)))),
            seconds=time.perf_counter() - start,
            details={
                'voxels': voxels,
                'volume_mm3': round(voxels * self._voxel_mm3, 3),
                'outside_voxels': lesions.outside_voxels,
                'outside_lesions': lesions.outside_components,
                'small_voxels': lesions.small_voxels,
                'pixels': lesions.pixels,
            },
        )
        self._check_plane(segmenter)
        self._keep(record)
        stack = self.grey.stack
        doubts = list_doubts(cord.mask, lesions.mask, stack.spacing, stack.plane)
        self.warnings.extend(f'plausibility: {doubt}' for doubt in doubts)
        return lesions

    @property
    def _voxel_mm3(self) -> float:
        return float(np.prod(self.grey.stack.spacing))

    def _keep(self, record: StageRecord) -> bool:
        """Note a stage; whether the series goes on."""
        self.stages.append(record)
        on_reject = self.settings.processing.on_reject
        if record.accepted:
            return True
        if on_reject == 'warn':
            self.warnings.append(f'{record.name}: {record.reason}; analyzed anyway')
        return on_reject != 'stop'

    def _skip(self, stage: str) -> None:
        reason = 'left out: there are no weights of this stage'
        self.warnings.append(f'{stage}: {reason}')
        record = _make_plain_record(stage, reason, accepted=True)
        self.stages.append(record)

    def _compare_view(self, record: StageRecord) -> None:
        plane = self.grey.stack.plane
        view = str(record.label).rpartition('_')[2]
        if record.accepted and view != plane:
            self.warnings.append(
                f'{record.name}: slices look {view}, and are {plane} by the geometry '
                'of the series; check its orientation'
            )

    def _check_plane(self, segmenter: LoadedSegmenter) -> None:
        planes = segmenter.description.planes
        if self.grey.stack.plane not in planes:
            self.warnings.append(
                f'{segmenter.stage}: trained on {", ".join(planes)} slices, and these '
                f'are {self.grey.stack.plane}'
            )

    def _finish(
        self,
        kept: Sequence[int] | NDArray = (),
        cord: CordFinding | None = None,
        lesions: LesionFinding | None = None,
    ) -> CascadeResult:
        stack = self.grey.stack
        masks: dict[str, Any] = dict.fromkeys(
            ('cord_mask', 'lesion_mask', 'confidence')
        )
        if cord is not None and lesions is not None:
            masks = {
                'cord_mask': stack.restore(cord.mask.astype(np.uint8)),
                'lesion_mask': stack.restore(lesions.mask.astype(np.uint8)),
                'confidence': stack.restore(lesions.prob),
            }
        return CascadeResult(
            status='rejected' if lesions is None else 'accepted',
            stages=tuple(self.stages),
            warnings=tuple(self.warnings),
            plane=stack.plane,
            cord_slices=stack.number_slices([int(index) for index in kept]),
            slice_axis=stack.slice_axis,
            **masks,
        )


def _make_segmentation_record(
    segmenter: LoadedSegmenter, threshold: float, **values: Any
) -> StageRecord:
    return StageRecord(
        name=segmenter.stage,
        model=segmenter.title,
        checkpoint_sha256=segmenter.sha256,
        class_map=segmenter.description.classes,
        probs={},
        label=None,
        threshold=threshold,
        **values,
    )


def _make_plain_record(
    name: str, reason: str, *, accepted: bool = False, n_slices: int = 0
) -> StageRecord:
    """A stage without a network."""
    return StageRecord(
        name=name,
        model='',
        checkpoint_sha256=None,
        class_map=(),
        probs={},
        label=None,
        threshold=None,
        accepted=accepted,
        reason=reason,
        n_slices=n_slices,
        seconds=0.0,
        details={'skipped': accepted},
    )
