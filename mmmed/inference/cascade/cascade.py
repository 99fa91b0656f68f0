"""Cascade: loaded stages that take one series after the other.

Not here: what the stages do (``analysis``), finding and reading series, writing.
"""

from collections.abc import Mapping
from pathlib import Path

from mmmed.inference.cascade.analysis import CORD, LESION, SLICE_GATE, SeriesAnalysis
from mmmed.inference.cascade.grey import GreyStack
from mmmed.inference.cascade.result import CascadeResult
from mmmed.inference.cascade.settings import CascadeSettings
from mmmed.inference.cascade.slice_network import SliceNetwork
from mmmed.inference.cascade.stack import SliceStack
from mmmed.inference.cascade.weights import (
    LoadedGate,
    LoadedSegmenter,
    WeightsError,
    load_gate,
    load_segmenter,
)
from mmmed.structures import Volume
from mmmed.structures.spine_classes import CORD as CORD_CLASSES


class Cascade:
    """Loaded stages; :meth:`analyze` takes one series after the other.

    Args:
        settings: What a user may set.
        gates: By stage; one that is absent is left out, and the record says so.
        segmenters: By stage, both.
    """

    def __init__(
        self,
        settings: CascadeSettings,
        gates: Mapping[str, LoadedGate],
        segmenters: Mapping[str, LoadedSegmenter],
    ) -> None:
        self.settings = settings
        self.gates = dict(gates)
        self.segmenters = dict(segmenters)
        processing = settings.processing
        self.networks = {
            stage: SliceNetwork(
                segmenter,
                batch_size=processing.batch_size,
                use_autocast=processing.use_autocast,
            )
            for stage, segmenter in self.segmenters.items()
        }

    @classmethod
    def load(
        cls, weights: Path, settings: CascadeSettings, device: str = 'cpu'
    ) -> 'Cascade':
        """Read, check and build the networks of a folder of weights.

        Args:
            weights: Folder with the checkpoints that the settings name.
            settings: What a user may set.
            device: As for torch, e.g. ``'cuda:0'``.

        Raises:
            WeightsError: A required file is absent, refused, damaged, or trained for
                other classes; the message names file and reason.
        """
        if not Path(weights).is_dir():
            raise WeightsError(f'{weights}: no folder of weights')
        gates = {}
        for stage, choices in list_targets(settings).items():
            path = Path(weights) / getattr(settings.models, stage).checkpoint
            if settings.processing.allow_missing_gates and not path.is_file():
                continue
            gates[stage] = load_gate(path, stage, choices, device)
        segmenters = {}
        for stage, task in ((CORD, 'cord'), (LESION, 'lesion')):
            path = Path(weights) / getattr(settings.models, stage).checkpoint
            segmenters[stage] = load_segmenter(path, stage, task, device)
        try:
            return cls(settings, gates, segmenters)
        except ValueError as error:
            raise WeightsError(f'{weights}: {error}') from error

    def analyze(self, volume: Volume) -> CascadeResult:
        """One series through all stages.

        Args:
            volume: One channel, real and finite values.

        Raises:
            ValueError: Several channels, NaN or infinite values, or no contrast.
        """
        processing = self.settings.processing
        stack = SliceStack.from_volume(
            volume,
            plane=processing.plane,
            picture_plane=processing.picture_plane,
        )
        analysis = SeriesAnalysis(
            self.settings, GreyStack(stack), self.gates, self.segmenters, self.networks
        )
        return analysis.run()


def list_targets(
    settings: CascadeSettings,
) -> dict[str, list[dict[str, tuple[str, ...]]]]:
    """Targets that each gate needs, and the classes of them that it must know.

    A gate may have several ways to answer; see
    :func:`mmmed.inference.cascade.weights.load_gate`.
    """
    models = settings.models
    place = models.spine_location_view
    return {
        'anatomy': [{'anatomy': models.anatomy.accept}],
        'spine_location_view': [
            {'location_view': place.accept},
            {'location': place.accept_locations, 'view': place.accept_views},
        ],
        'spine_sequence': [{'sequence': models.spine_sequence.accept}],
        SLICE_GATE: [{'cord': CORD_CLASSES}],
    }
