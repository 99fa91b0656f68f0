"""One scan, networks of up to three planes, one mask on the scan's own grid.

Each plane's networks predict all of its slices, which are put back where they came
from; the volumes of the planes become one by a rule. Not here: files and folders
(``fusion_run``), the rules (``mmmed.functional.plane_fusion``).
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.checkpoint import load_checkpoint_safely
from mmmed.functional.plane_fusion import average_probs
from mmmed.functional.planes import PLANE_AXES
from mmmed.inference.blank_slices import ReuseBlank
from mmmed.inference.faster_network import speed_up
from mmmed.inference.fusion_spec import FusionRule, FusionSpec
from mmmed.inference.inferencer import Inferencer
from mmmed.inference.intensity import Intensity
from mmmed.inference.loading import LoadedNetworks, load_networks
from mmmed.inference.planes import Plane
from mmmed.inference.recipe import VOLUME_PLANES
from mmmed.inference.registration import Registration, register_affine
from mmmed.inference.scan_grid import ScanGrid
from mmmed.inference.training_grid import (
    TrainingGrid,
    check_grid,
    find_training_grid,
)
from mmmed.structures import Volume

# From this probability on a plane alone says lesion.
PLANE_THRESHOLD = 0.5
CLASSES = ('background', 'lesion')
# Share of voxels of the MNI grid that are not 0: a brain alone 0.22, a head 0.5.
_STRIPPED_BELOW, _WHOLE_ABOVE = 0.30, 0.40


@dataclass(frozen=True)
class FusedScan:
    """What the planes and their fusion say about a scan.

    Args:
        mask: 0 and 1, uint8, on the grid of the scan, with its source.
        probs: Lesion probability of each plane, (Z, Y, X) float32, on the same grid.
        notes: Sentences: what was assumed, and when memory ran short.
        registration: How the scan was brought to the training grid; None if not.
    """

    mask: Volume
    probs: Mapping[str, NDArray[np.float32]]
    notes: tuple[str, ...] = ()
    registration: Registration | None = None

    def make_plane_mask(self, plane: str) -> Volume:
        """What a plane alone says, as :attr:`mask` says it for all."""
        mask = self.probs[plane] >= PLANE_THRESHOLD
        return self.mask.replace_array(mask.astype(np.uint8))

    def average(self, rule: FusionRule) -> Volume:
        """Mean probability, weighted as the rule weighs the planes."""
        weights = rule.list_weights(self.probs)
        mean = average_probs(list(self.probs.values()), weights)
        return self.mask.replace_array(mean)


@dataclass
class PlaneFusion:
    """Loaded networks of the planes and the rule.

    Args:
        planes: Networks by plane.
        rule: How their answers become one.
        grid: On which they learned; None if nothing says so.
        meta: Facts about the training data, from the first checkpoint.
        batch_size: Slices at a time; halved when memory runs short.
        use_bf16: See :class:`mmmed.inference.faster_network.FasterNetwork`.
        compile_model: Likewise.
    """

    planes: Mapping[str, LoadedNetworks]
    rule: FusionRule = field(default_factory=FusionRule)
    grid: TrainingGrid | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    batch_size: int = 2
    use_bf16: bool = False
    compile_model: bool = False

    def __post_init__(self) -> None:
        self.rule.list_weights(self.planes)
        for plane, loaded in self.planes.items():
            _check_recipe(plane, loaded)
        self._networks = {
            plane: tuple(
                ReuseBlank(
                    speed_up(
                        network,
                        use_bf16=self.use_bf16,
                        compile_model=self.compile_model,
                    )
                )
                for network in loaded.networks
            )
            for plane, loaded in self.planes.items()
        }

    def predict_plane(
        self,
        plane: str,
        volume: Volume,
        *,
        is_prepared: bool = False,
        on_progress: Callable[[float], None] | None = None,
    ) -> tuple[NDArray[np.float32], tuple[str, ...]]:
        """Lesion probability by the slices of one plane.

        Args:
            plane: One of :attr:`planes`.
            volume: On the training grid, in any orientation.
            is_prepared: Whether its values are those that training read, so that the
                intensity rule was applied already.
            on_progress: Told the share that is done.

        Returns:
            Shape (Z, Y, X) of the volume; and notes.
        """
        recipe = self.planes[plane].recipe
        if is_prepared:
            recipe = dataclasses.replace(recipe, intensity=Intensity())
        prob = np.zeros(volume.shape, np.float32)

        def collect(grid: ScanGrid) -> Callable[[Plane], None]:
            turned = grid.turn(prob)  # a view: every slice goes where it came from

            def put(part: Plane) -> None:
                target = turned[part.index, part.rows, part.columns]
                target[...] = part.prob[-1].cpu().numpy()

            return put

        inferencer = Inferencer(
            self._networks[plane], recipe, batch_size=self.batch_size
        )
        prediction = inferencer.predict(
            volume, on_start=collect, on_progress=on_progress
        )
        return prob, prediction.notes


def load_fusion(
    spec: FusionSpec,
    *,
    device: str = 'cpu',
    grid: TrainingGrid | None = None,
    batch_size: int = 2,
    use_bf16: bool = False,
    compile_model: bool = False,
) -> PlaneFusion:
    """Load the networks of every plane.

    Args:
        spec: See :class:`FusionSpec`.
        device: As for torch.
        grid: Training grid, where the checkpoints do not name it.
        batch_size: Slices at a time.
        use_bf16: See :class:`PlaneFusion`.
        compile_model: Likewise.

    Raises:
        FileNotFoundError: A file is absent.
        ValueError: A file is damaged, networks of a plane are not of that plane, or
            planes learned on different grids.
    """
    planes: dict[str, LoadedNetworks] = {}
    metas: dict[str, Mapping[str, Any]] = {}
    for plane, (config, checkpoints) in spec.planes.items():
        planes[plane] = load_networks(config, checkpoints, device=device)
        checkpoint = load_checkpoint_safely(checkpoints[0], 'cpu')
        metas[plane] = (checkpoint.get('meta') or {}).get('dataset_meta') or {}
    grids = {plane: find_training_grid(meta) for plane, meta in metas.items()}
    first = next(iter(grids))
    if grid is None and any(one != grids[first] for one in grids.values()):
        raise ValueError(
            f'the networks learned on different grids: {grids}; fusion needs planes '
            'of the same volumes'
        )
    return PlaneFusion(
        planes,
        spec.rule,
        grid or grids[first],
        metas[first],
        batch_size=batch_size,
        use_bf16=use_bf16,
        compile_model=compile_model,
    )


def fuse_scan(
    fusion: PlaneFusion,
    volume: Volume,
    *,
    template: Volume | None = None,
    is_prepared: bool = False,
    on_progress: Callable[[float], None] | None = None,
) -> FusedScan:
    """Mask of a scan by all planes.

    Args:
        fusion: See :func:`load_fusion`.
        volume: The scan; not changed.
        template: On the training grid: the scan is registered to it and the answer
            brought back. None takes the scan as it is and refuses another grid.
        is_prepared: As for :meth:`PlaneFusion.predict_plane`.
        on_progress: Told the share that is done.

    Returns:
        Everything on the grid of the scan.

    Raises:
        ValueError: The scan is not on the training grid, that grid is unknown, the
            registration fails, or the scan is not what the networks take.
        MemoryError: Not even one slice at a time fits.
    """
    grid = fusion.grid
    if grid is None:
        raise ValueError(
            'the checkpoints do not say on which grid the networks learned; give a '
            'scan of the training data with --grid'
        )
    registration = None
    seen = volume
    if template is not None:
        registration = register_affine(volume, template, grid)
        seen = registration.bring(volume)
    else:
        check_grid(volume, grid)
    notes = dict.fromkeys(judge_skull(seen, fusion.meta))
    probs: dict[str, NDArray[np.float32]] = {}
    for number, plane in enumerate(fusion.planes):
        prob, said = fusion.predict_plane(
            plane,
            seen,
            is_prepared=is_prepared,
            on_progress=_shift_progress(on_progress, number, len(fusion.planes)),
        )
        if registration is not None:
            prob = registration.take_back(prob, volume)
        probs[plane] = prob
        notes.update(dict.fromkeys(said))
    mask = fusion.rule.apply(probs, volume.spacing)
    labels = volume.replace_array(mask.astype(np.uint8))
    return FusedScan(labels, probs, tuple(notes), registration)


def judge_skull(volume: Volume, meta: Mapping[str, Any]) -> list[str]:
    """A note if a scan has a skull where the training scans had none, or none.

    Only for the MNI grid of ATLAS, where a brain fills a known share.

    Args:
        volume: On the training grid.
        meta: Facts about the training data; ``semi_synthetic`` ones show brains alone.
    """
    if meta.get('dataset') != 'atlas':
        return []
    share = np.count_nonzero(volume.array) / volume.array.size
    learned_brains = bool(meta.get('semi_synthetic'))
    if learned_brains and share > _WHOLE_ABOVE:
        return [
            f'{share:.0%} of the voxels are not 0: this looks like a whole head, the '
            'networks learned brains without skull; strip the skull first'
        ]
    if not learned_brains and share < _STRIPPED_BELOW:
        return [
            f'{share:.0%} of the voxels are not 0: this looks skull-stripped, the '
            'networks learned whole heads; expect worse masks'
        ]
    return []


def _check_recipe(plane: str, loaded: LoadedNetworks) -> None:
    recipe = loaded.recipe
    if recipe.dimension != 2 or len(recipe.classes) != len(CLASSES):
        raise ValueError(
            f'{plane}: a network of {recipe.dimension} dimensions and classes '
            f'{list(recipe.classes)}, expected slices and two classes'
        )
    if plane not in PLANE_AXES or recipe.orientation != VOLUME_PLANES[plane]:
        names = [p for p, way in VOLUME_PLANES.items() if way == recipe.orientation]
        learned = names[0] if names else f'slices turned {recipe.orientation}'
        raise ValueError(
            f'the networks given for {plane} learned {learned}; check the order of '
            '--axial, --sagittal and --coronal'
        )


def _shift_progress(
    tell: Callable[[float], None] | None, number: int, total: int
) -> Callable[[float], None] | None:
    if tell is None:
        return None
    return lambda share: tell((number + share) / total)
