"""Inferencer: a scan in memory to a label map on the scan's own grid."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mmmed.functional.label_fusion import fuse_by_staple, fuse_by_vote
from mmmed.functional.organ_rule import OrganRule
from mmmed.inference.adaptive_batch import AdaptiveBatch
from mmmed.inference.label_sink import LabelSink
from mmmed.inference.members import Member
from mmmed.inference.networks import Network
from mmmed.inference.planes import Plane
from mmmed.inference.recipe import ScanRecipe
from mmmed.inference.scan_grid import ScanGrid
from mmmed.inference.slice_prediction import predict_slices
from mmmed.inference.window_prediction import predict_volume
from mmmed.structures import Volume

RULES = ('mean', 'vote', 'staple')
_MIB = 1 << 20
# Of a graphics card's free memory, for class probabilities; the network needs some.
_CUDA_SHARE = 0.4
CPU_MEMORY_MIB = 1536


@dataclass(frozen=True)
class Prediction:
    """A label map and what there is to say about it.

    Args:
        volume: Labels on the grid of the scan, with its source.
        notes: Sentences: what was assumed, and when memory ran short.
        staple: For ``'staple'``: per foreground label each member's sensitivity.
    """

    volume: Volume
    notes: tuple[str, ...]
    staple: dict[str, Any] = field(default_factory=dict)


class Inferencer:
    """Applies one network or an ensemble to scans.

    Args:
        networks: See :mod:`mmmed.inference.networks`.
        recipe: How scans are fed to them.
        rule: ``'mean'`` of the probabilities, ``'vote'`` (the smaller label on a tie)
            or ``'staple'`` of the networks' label maps.
        use_tta: Whether mirrored views are averaged too; the recipe names them.
        batch_size: Slices or windows at a time; halved when memory runs short.
        memory_mib: Aimed at for class probabilities, beside the scan, the label map
            and what the network itself needs. None: 1536 on a CPU, on a graphics
            card a part of what is free there.
        organ_rule: Post-processing of the labels; probabilities stay as they are.

    Raises:
        ValueError: Unknown rule, a vote of one, TTA without views, or an
            ``organ_rule`` of classes that the networks do not have.
    """

    def __init__(
        self,
        networks: Sequence[Network],
        recipe: ScanRecipe,
        *,
        rule: str = 'mean',
        use_tta: bool = False,
        batch_size: int = 4,
        memory_mib: int | None = None,
        organ_rule: OrganRule | None = None,
    ) -> None:
        if rule not in RULES:
            raise ValueError(f'ensemble rule is {rule!r}, expected one of {RULES}')
        if use_tta and not recipe.flips:
            raise ValueError(
                'no views for test-time augmentation are known; state them in the '
                'config: tta_pipeline, or inference = dict(flips=[[-1]]) for X'
            )
        if memory_mib is not None and memory_mib < 1:
            raise ValueError(f'memory_mib is {memory_mib}, expected >= 1')
        if organ_rule is not None:
            organ_rule.check(recipe.classes[1:])
        self.recipe = recipe
        self.organ_rule = organ_rule
        self.rule = rule
        self.use_tta = use_tta
        self.memory_mib = memory_mib
        groups = [tuple(networks)] if rule == 'mean' else [(n,) for n in networks]
        self._members = [Member(group, recipe, use_tta) for group in groups]
        self._notes: list[str] = []
        self._batch = AdaptiveBatch(batch_size, self._notes.append)

    @property
    def batch_size(self) -> int:
        """Slices or windows at a time, as far as memory allowed until now."""
        return self._batch.size

    def predict(
        self,
        volume: Volume,
        *,
        on_start: Callable[[ScanGrid], Callable[[Plane], None] | None] | None = None,
        on_progress: Callable[[float], None] | None = None,
    ) -> Prediction:
        """Label map of a scan.

        Args:
            volume: The scan, in any orientation; not changed.
            on_start: Told the grid before anything runs; may return a function that
                is given every finished plane (probabilities). Only for ``'mean'``.
            on_progress: Called now and then with the share that is done.

        Returns:
            Labels 0 to K - 1 as uint8, voxel by voxel on the scan's own grid.

        Raises:
            ValueError: The scan is not what the recipe expects.
            MemoryError: Not even one item at a time fits.
        """
        self._notes.clear()
        grid = ScanGrid(volume, self.recipe)
        on_plane = on_start(grid) if on_start else None
        if on_plane is not None and self.rule != 'mean':
            raise ValueError(f'rule {self.rule!r} gives labels, no probabilities')
        report = _Progress(
            on_progress, len(self._members) * math.prod(grid.turned_shape)
        )
        maps = [
            self._label(grid, member, volume, on_plane, report)
            for member in self._members
        ]
        facts: dict[str, Any] = {}
        if self.rule == 'vote':
            maps = [fuse_by_vote(maps)]
        elif self.rule == 'staple':
            fused = fuse_by_staple(maps)
            maps, facts = [fused.labels], _describe(fused, self.recipe)
        labels = self._process(maps[0], volume.spacing)
        notes = (*grid.notes, *self._notes)
        return Prediction(volume.replace_array(labels), notes, facts)

    def _process(
        self, labels: NDArray[np.uint8], spacing: Sequence[float]
    ) -> NDArray[np.uint8]:
        rule = self.organ_rule
        if rule is None:
            return labels
        values = {name: (k,) for k, name in enumerate(self.recipe.classes) if k}
        kept = rule.apply(labels, spacing, values)
        lost = int(np.count_nonzero(labels != kept))
        if lost:
            self._notes.append(
                f'{lost} voxels were removed: not of the largest {rule.organ}, or '
                f'{rule.lesion} farther than {rule.within_mm:g} mm from it'
            )
        return kept

    def _label(
        self,
        grid: ScanGrid,
        member: Member,
        volume: Volume,
        on_plane: Callable[[Plane], None] | None,
        report: '_Progress',
    ) -> NDArray[np.uint8]:
        mask = np.zeros(volume.shape, dtype=np.uint8)
        sink = LabelSink(grid.turn(mask), self.recipe.threshold)
        for plane in self._predict(grid, member):
            sink.add(plane)
            if on_plane is not None:
                on_plane(plane)
            report.add(plane)
        return mask

    def _predict(self, grid: ScanGrid, member: Member) -> Iterator[Plane]:
        predict = predict_slices if self.recipe.dimension == 2 else predict_volume
        device = getattr(member.networks[0], 'device', torch.device('cpu'))
        memory = self._find_memory(device)
        return predict(grid, member, self._batch, memory_bytes=memory)

    def _find_memory(self, device: torch.device) -> int:
        if self.memory_mib is not None:
            return self.memory_mib * _MIB
        if device.type == 'cuda':
            return int(torch.cuda.mem_get_info(device)[0] * _CUDA_SHARE)
        return CPU_MEMORY_MIB * _MIB


class _Progress:
    """Share of voxels done, over all members."""

    def __init__(self, tell: Callable[[float], None] | None, total: float) -> None:
        self._tell = tell
        self._total = float(total)
        self._done = 0

    def add(self, plane: Plane) -> None:
        self._done += plane.prob[0].numel()
        if self._tell is not None:
            self._tell(self._done / self._total)


def _describe(fused: Any, recipe: ScanRecipe) -> dict[str, Any]:
    sensitivity = {
        recipe.classes[label]: [float(m[row, row]) for m in fused.confusion]
        for row, label in enumerate(fused.present)
    }
    return {
        'iterations': fused.iterations,
        'converged': fused.converged,
        'sensitivity': sensitivity,
    }
