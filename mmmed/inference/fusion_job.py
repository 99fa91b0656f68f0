"""FusionJob: one scan from its file to fused mask, masks of planes, and report.

``OUT/<case>.nii.gz`` (fused), ``OUT/planes/<plane>/<case>.nii.gz``,
``OUT/prob/<plane or fused>/<case>.nii.gz``, ``OUT/slices/<case>.csv`` (counts, with a
reference), ``OUT/combos/<case>.npz`` (for fitting weights), ``OUT/cases/<case>.json``.
Not here: many scans (``fusion_run``).
"""

import io
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmmed.files import write_bytes_atomic, write_csv_atomic
from mmmed.functional.fusion_fitting import JointTable, count_combos
from mmmed.inference.case_store import CaseStore, make_printable
from mmmed.inference.fusion_scans import FusionScan
from mmmed.inference.fusion_scores import FUSED, count_slices, count_volumes
from mmmed.inference.measure import measure_labels
from mmmed.inference.plane_fusion import CLASSES, FusedScan, PlaneFusion, fuse_scan
from mmmed.io import write_volume
from mmmed.structures import Volume


@dataclass(frozen=True)
class FusionOptions:
    """How a run treats its folder.

    Args:
        save_prob: Whether probabilities are written.
        save_combos: Whether tables for fitting weights are written; needs references.
        overwrite: Make everything anew, whatever lies there.
        num_parts: Into how many runs the scans are divided.
        part_id: Which of them this is, from 0.
        dry_run: Say what would be done; write nothing.
        quiet: Show no progress.
    """

    save_prob: bool = False
    save_combos: bool = False
    overwrite: bool = False
    num_parts: int = 1
    part_id: int = 0
    dry_run: bool = False
    quiet: bool = False


class FusionJob:
    """One scan.

    Args:
        scan: See :class:`FusionScan`.
        fusion: What predicts.
        out: Results folder.
        settings: Hash of everything beside the scan that decides the result.
        options: See :class:`FusionOptions`.
        template: For registration; None for none.
    """

    def __init__(
        self,
        scan: FusionScan,
        fusion: PlaneFusion,
        out: Path,
        settings: str,
        options: FusionOptions,
        template: Volume | None = None,
    ) -> None:
        self.scan, self.fusion, self.options = scan, fusion, options
        self.settings, self.template = settings, template
        self.store = CaseStore(out, scan.case, CLASSES, ('seg',))
        name = self.store.mask_path.name
        folders = tuple(fusion.planes)
        self._plane_paths = {plane: out / 'planes' / plane / name for plane in folders}
        self._prob_paths = {
            plane: out / 'prob' / plane / f'{scan.case.case_id}.nii.gz'
            for plane in (*folders, FUSED)
        }
        self._slices_path = out / 'slices' / f'{scan.case.case_id}.csv'
        self._combos_path = out / 'combos' / f'{scan.case.case_id}.npz'
        self.store.outputs.extend(self._plane_paths.values())
        if options.save_prob:
            self.store.outputs.extend(self._prob_paths.values())
        if scan.read_reference is not None:
            self.store.outputs.append(self._slices_path)
            if options.save_combos:
                self.store.outputs.append(self._combos_path)

    def plan(self) -> dict[str, Any]:
        """What would be done: status ``'planned'``, ``'skipped'`` or ``'failed'``."""
        report = {'case_id': self.scan.case.case_id}
        try:
            skip = self._is_finished(self.scan.hash_content())
        except (OSError, ValueError) as error:
            return make_printable({**report, 'status': 'failed', 'error': str(error)})
        return {**report, 'status': 'skipped' if skip else 'planned'}

    def run(self, on_progress: Callable[[float], None] | None = None) -> dict[str, Any]:
        """Everything; whatever is wrong with the scan becomes the report.

        Returns:
            The report, whose status is ``'done'``, ``'skipped'`` or ``'failed'``.
        """
        facts: dict[str, Any] = {}
        try:
            input_hash = self.scan.hash_content()
            if self._is_finished(input_hash):
                return {**(self.store.read_report() or {}), 'status': 'skipped'}
            self.store.remove_leftovers()
            facts = {
                'input': os.path.relpath(self.scan.case.path, self.store.out),
                'input_sha256': input_hash,
                'settings_sha256': self.settings,
            }
            self.store.write_report('running', facts)
            facts.update(self._work(on_progress))
            return self.store.write_report('done', facts)
        except Exception as error:  # whatever a scan provokes is told in its report
            return self._fail(error, facts)

    def _work(self, on_progress: Callable[[float], None] | None) -> dict[str, Any]:
        started = time.perf_counter()
        volume = self.scan.read()
        read = time.perf_counter()
        fused = fuse_scan(
            self.fusion,
            volume,
            template=self.template,
            is_prepared=self.scan.is_prepared,
            on_progress=on_progress,
        )
        predicted = time.perf_counter()
        masks = {plane: fused.make_plane_mask(plane) for plane in fused.probs}
        masks[FUSED] = fused.mask
        facts = self._describe(volume, fused, masks)
        if self.scan.read_reference is not None:
            target = volume.replace_array(self.scan.read_reference(volume))
            facts['counts'] = count_volumes(masks, target)
            write_csv_atomic(self._slices_path, count_slices(masks, target))
            if self.options.save_combos:
                write_combos(
                    self._combos_path,
                    count_combos(list(fused.probs.values()), target.array),
                )
        self._write(volume, fused, masks)
        facts['outputs'] = self.store.hash_outputs()
        ended = time.perf_counter()
        facts['timings_s'] = {
            'read': round(read - started, 3),
            'predict': round(predicted - read, 3),
            'write': round(ended - predicted, 3),
            'total': round(ended - started, 3),
        }
        return facts

    def _describe(
        self, volume: Volume, fused: FusedScan, masks: dict[str, Volume]
    ) -> dict[str, Any]:
        notes = volume.source.notes if volume.source else ()
        measured = {name: measure_labels(mask, CLASSES) for name, mask in masks.items()}
        facts = {
            'shape': list(volume.shape),
            'spacing': [round(mm, 6) for mm in volume.spacing],
            'orientation': volume.orientation,
            **measured.pop(FUSED),
            'planes': {
                plane: one['classes'][CLASSES[1]] for plane, one in measured.items()
            },
            'rule': self.fusion.rule.to_dict(),
            'warnings': [*notes, *fused.notes],
        }
        if fused.registration is not None:
            facts['registration'] = fused.registration.to_dict()
        return facts

    def _write(
        self, volume: Volume, fused: FusedScan, masks: dict[str, Volume]
    ) -> None:
        write_volume(masks[FUSED], self.store.mask_path, like=volume)
        for plane, path in self._plane_paths.items():
            write_volume(masks[plane], path, like=volume)
        if self.options.save_prob:
            for plane, prob in fused.probs.items():
                path = self._prob_paths[plane]
                write_volume(volume.replace_array(prob), path, like=volume)
            mean = fused.average(self.fusion.rule)
            write_volume(mean, self._prob_paths[FUSED], like=volume)

    def _is_finished(self, input_hash: str) -> bool:
        if self.options.overwrite:
            return False
        return self.store.is_finished(self.settings, input_hash)

    def _fail(self, error: Exception, facts: dict[str, Any]) -> dict[str, Any]:
        reason = str(error) or type(error).__name__
        if not isinstance(error, ValueError | OSError | MemoryError | ImportError):
            reason = f'{type(error).__name__}: {reason}'
        told = {**facts, 'error': reason}
        if not facts:  # what is there belongs to somebody else
            case_id = self.scan.case.case_id
            return make_printable({'case_id': case_id, 'status': 'failed', **told})
        return self.store.write_report('failed', told)


def write_combos(path: Path, table: JointTable) -> None:
    """Write a table for fitting weights, atomically."""
    stream = io.BytesIO()
    np.savez_compressed(
        stream,
        combos=table.combos.astype(np.uint8),
        lesion=table.lesion,
        other=table.other,
        levels=np.int64(table.levels),
    )
    write_bytes_atomic(path, stream.getvalue())


def read_combos(path: Path) -> JointTable:
    """Read a table that :func:`write_combos` wrote.

    Raises:
        ValueError: It is none.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            return JointTable(
                stored['combos'].astype(np.int64),
                stored['lesion'].astype(np.int64),
                stored['other'].astype(np.int64),
                int(stored['levels']),
            )
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise ValueError(f'{path}: no table of ours ({error}); make it anew') from error
