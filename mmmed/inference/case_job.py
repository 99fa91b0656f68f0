"""CaseJob: one scan from its file to its results, in two halves.

The first half reads and predicts; the second writes, and may run beside the first half
of the next case. Neither raises for what is wrong with the scan: it becomes the report.
"""

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mmmed.inference.case_store import CaseStore, make_printable
from mmmed.inference.inferencer import Inferencer, Prediction
from mmmed.inference.label_sink import ProbabilitySpool
from mmmed.inference.measure import measure_labels
from mmmed.inference.options import RunOptions
from mmmed.inference.planes import Plane
from mmmed.inference.scan_grid import ScanGrid
from mmmed.io import Segment, write_segmentation, write_volume
from mmmed.structures import Volume

Finish = Callable[[], dict[str, Any]]


class CaseJob:
    """One case.

    Args:
        store: Where its results go.
        inferencer: What predicts.
        settings: Hash of everything beside the scan that decides the result.
        options: See :class:`RunOptions`.
    """

    def __init__(
        self,
        store: CaseStore,
        inferencer: Inferencer,
        settings: str,
        options: RunOptions,
    ) -> None:
        self.store = store
        self.inferencer = inferencer
        self.settings = settings
        self.options = options
        self._timings: dict[str, float] = {}
        self._facts: dict[str, Any] = {}
        self._grid: ScanGrid | None = None
        self._spool: ProbabilitySpool | None = None

    def plan(self) -> dict[str, Any]:
        """What would be done: status ``'planned'``, ``'skipped'`` or ``'failed'``."""
        report = {'case_id': self.store.case.case_id}
        try:
            self._check()
            skip = self._is_finished(self.store.case.hash_content())
        except (OSError, ValueError) as error:
            return make_printable({**report, 'status': 'failed', 'error': str(error)})
        return {**report, 'status': 'skipped' if skip else 'planned'}

    def run(self, on_progress: Callable[[float], None]) -> Finish:
        """Read and predict.

        Args:
            on_progress: Told the share that is done.

        Returns:
            The second half: writes the results and returns the report, whose status
            is ``'done'``, ``'skipped'`` or ``'failed'``.
        """
        started = time.perf_counter()
        try:
            self._check()
            input_hash = self.store.case.hash_content()
            if self._is_finished(input_hash):
                return self._skip
            self.store.remove_leftovers()
            self._facts = {
                'input': self._relate(self.store.case.path),
                'input_sha256': input_hash,
                'settings_sha256': self.settings,
            }
            self.store.write_report('running', self._facts)
            volume = self.store.case.read(irregular=self.options.irregular)
            self._timings['read'] = _measure(started)
            started = time.perf_counter()
            prediction = self.inferencer.predict(
                volume,
                on_start=self._open_spool if 'prob' in self.options.save else None,
                on_progress=on_progress,
            )
            self._timings['predict'] = _measure(started)
        except Exception as error:  # whatever a scan provokes is told in its report
            self._close_spool()
            return partial(self._fail, error)
        return partial(self._finish, volume, prediction)

    def _check(self) -> None:
        """Refuse what is known to be wrong before anything is read."""
        case = self.store.case
        if 'dicom-seg' in self.options.save and not self.store.is_dicom:
            raise ValueError(
                f'{case.path} is no DICOM series, which a DICOM-SEG has to refer to; '
                'use --save seg'
            )
        modality = case.series.modality if case.series else ''
        kind = self.inferencer.recipe.intensity.kind
        if kind == 'window' and modality not in ('', 'CT'):
            raise ValueError(
                f'{case.path}: {modality} images have no Hounsfield units, but the '
                'network expects windows of CT'
            )

    def _is_finished(self, input_hash: str) -> bool:
        if self.options.overwrite:
            return False
        return self.store.is_finished(self.settings, input_hash)

    def _skip(self) -> dict[str, Any]:
        return {**(self.store.read_report() or {}), 'status': 'skipped'}

    def _fail(self, error: Exception) -> dict[str, Any]:
        reason = str(error) or type(error).__name__
        if not isinstance(error, ValueError | OSError | MemoryError | ImportError):
            reason = f'{type(error).__name__}: {reason}'
        facts = {**self._facts, 'error': reason}
        if not self._facts:  # what is there belongs to somebody else
            case_id = self.store.case.case_id
            return make_printable({'case_id': case_id, 'status': 'failed', **facts})
        return self.store.write_report('failed', facts)

    def _finish(self, volume: Volume, prediction: Prediction) -> dict[str, Any]:
        started = time.perf_counter()
        try:
            self._write(volume, prediction)
            notes = volume.source.notes if volume.source else ()
            facts = {
                **self._facts,
                'shape': list(volume.shape),
                'spacing': [round(mm, 6) for mm in volume.spacing],
                'orientation': volume.orientation,
                **measure_labels(prediction.volume, self.inferencer.recipe.classes),
                'warnings': [*notes, *prediction.notes],
                'outputs': self.store.hash_outputs(),
            }
            if prediction.staple:
                facts['staple'] = prediction.staple
            self._timings['write'] = _measure(started)
            total = round(sum(self._timings.values()), 3)
            facts['timings_s'] = {**self._timings, 'total': total}
            return self.store.write_report('done', facts)
        except Exception as error:
            return self._fail(error)
        finally:
            self._close_spool()

    def _write(self, volume: Volume, prediction: Prediction) -> None:
        store, save = self.store, self.options.save
        if 'seg' in save:
            write_volume(prediction.volume, store.mask_path, like=volume)
        if 'dicom-seg' in save:
            names = self.inferencer.recipe.classes[1:]
            segments = [Segment(k, name) for k, name in enumerate(names, start=1)]
            write_segmentation(
                prediction.volume, store.dicom_seg_path, like=volume, segments=segments
            )
        if self._spool is not None and self._grid is not None:
            for number, path in enumerate(store.prob_paths.values()):
                # NIfTI has no half precision: float32 that holds halves, and therefore
                # compresses like them.
                prob = np.empty(volume.shape, dtype=np.float32)
                turned = self._grid.turn(prob)
                for index, plane in enumerate(self._spool.read(number)):
                    turned[index] = plane
                write_volume(volume.replace_array(prob), path, like=volume)

    def _open_spool(self, grid: ScanGrid) -> Callable[[Plane], None]:
        self._grid = grid
        self.store.out.mkdir(parents=True, exist_ok=True)
        self._spool = ProbabilitySpool(
            grid.turned_shape, len(self.inferencer.recipe.classes) - 1, self.store.out
        )
        return self._spool.add

    def _close_spool(self) -> None:
        if self._spool is not None:
            self._spool.close()
            self._spool = None
        self._grid = None

    def _relate(self, path: Path) -> str:
        """The input as seen from the results folder."""
        return os.path.relpath(path, self.store.out)


def _measure(started: float) -> float:
    return round(time.perf_counter() - started, 3)
