"""FusionPredictor: networks of three planes behind the service.

Not here: how planes are fused (``mmmed.inference.plane_fusion``).
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmmed.inference.fusion_spec import FusionSpec
from mmmed.inference.plane_fusion import CLASSES, fuse_scan, load_fusion
from mmmed.inference.registration import find_template, read_template
from mmmed.serving.predictor import Segmentation
from mmmed.structures import Volume


class FusionPredictor:
    """Plane fusion of a JSON file.

    Args:
        path: See :meth:`mmmed.inference.fusion_spec.FusionSpec.read`.
        device: As for torch.
        register: Whether a scan on another grid is brought to that of the training;
            else it is refused with the reason.
        template: T1 to register to; None takes the embedded one.

    Raises:
        FileNotFoundError: A file is absent.
        ValueError: See :func:`mmmed.inference.plane_fusion.load_fusion`.
        ImportError: Registration is wanted and its packages are absent.
    """

    def __init__(
        self,
        path: Path,
        device: str = 'cpu',
        *,
        register: bool = False,
        template: Path | None = None,
    ) -> None:
        self._fusion = load_fusion(FusionSpec.read(path), device=device)
        self._template: Volume | None = None
        if register or template is not None:
            if self._fusion.grid is None:
                raise ValueError(
                    f'{path}: the checkpoints do not say on which grid the networks '
                    'learned, so nothing can be registered to it'
                )
            self._template = read_template(
                template or find_template(), self._fusion.grid
            )

    @property
    def classes(self) -> Sequence[str]:
        """See :class:`mmmed.serving.predictor.Predictor`."""
        return CLASSES

    def describe(self) -> Mapping[str, Any]:
        """Rule, and hashes of the weights of each plane."""
        return {
            'rule': self._fusion.rule.to_dict(),
            'weights_sha256': {
                plane: dict(loaded.weights)
                for plane, loaded in self._fusion.planes.items()
            },
            'registers': self._template is not None,
        }

    def predict(
        self, volume: Volume, on_progress: Callable[[float], None]
    ) -> Segmentation:
        """See :class:`mmmed.serving.predictor.Predictor`."""
        fused = fuse_scan(
            self._fusion, volume, template=self._template, on_progress=on_progress
        )
        notes = list(fused.notes)
        if fused.registration is not None:
            notes.append(
                'The scan was registered to the grid of the training (affine), and '
                'the mask brought back; check that it lies on the anatomy.'
            )
        return Segmentation(fused.mask, tuple(notes))
