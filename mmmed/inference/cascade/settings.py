"""Settings of the cascade: one field for each key that a user may set.

Groups and names are those of the configuration file (``processing``, ``models``).
Not here: reading that file, what is written (``output``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from mmmed.functional.planes import PLANES
from mmmed.structures.spine_classes import ANATOMY, LOCATION, SEQUENCE, VIEW

ON_REJECT = ('stop', 'warn', 'continue')


@dataclass(frozen=True)
class ProcessingSettings:
    """How to compute.

    Args:
        batch_size: Slices in a network at a time, >= 1.
        confidence_threshold: Probability that a lesion's voxel must exceed, in (0, 1).
        gpu_device: Number of the CUDA device; -1 for the CPU; None for the first device
            if there is one, else the CPU.
        on_reject: What follows when a gate rejects a series or is not sure:
            ``'stop'`` ends its analysis, ``'warn'`` goes on with a warning,
            ``'continue'`` goes on and leaves it to the record.
        min_slices: Series of fewer slices are rejected, >= 1.
        max_gate_slices: Slices, evenly spaced, that a gate of the series looks at.
        plane: Plane of the slices; None for the one that the series was acquired in.
        picture_plane: Plane of pictures (PNG, JPEG, TIFF), which do not tell.
        allow_missing_gates: Whether a gate without weights is left out; if not, it is
            an error.
        use_autocast: Whether CUDA devices compute in half precision.

    Raises:
        ValueError: A value is impossible.
    """

    batch_size: int = 8
    confidence_threshold: float = 0.5
    gpu_device: int | None = None
    on_reject: str = 'stop'
    min_slices: int = 1
    max_gate_slices: int = 16
    plane: str | None = None
    picture_plane: str = 'sagittal'
    allow_missing_gates: bool = False
    use_autocast: bool = False

    def __post_init__(self) -> None:
        for name in ('batch_size', 'min_slices', 'max_gate_slices'):
            _check_count(name, getattr(self, name), least=1)
        _check_share('confidence_threshold', self.confidence_threshold)
        if self.gpu_device is not None:
            _check_count('gpu_device', self.gpu_device, least=-1)
        _check_choice('on_reject', self.on_reject, ON_REJECT)
        _check_choice('plane', self.plane, (None, *PLANES))
        _check_choice('picture_plane', self.picture_plane, PLANES)


@dataclass(frozen=True)
class AnatomySettings:
    """Gate of the anatomy.

    Args:
        checkpoint: Name of the file in the folder of weights.
        threshold: Probability that the accepted classes have together, in (0, 1).
        accept: Accepted class names.
    """

    checkpoint: str = 'anatomy.pth'
    threshold: float = 0.7
    accept: tuple[str, ...] = ('spine',)

    def __post_init__(self) -> None:
        _check_gate(self.checkpoint, self.threshold)
        _keep_names(self, 'accept', ANATOMY)


@dataclass(frozen=True)
class LocationViewSettings:
    """Gate of location and view.

    Args:
        checkpoint: See :class:`AnatomySettings`.
        threshold: See :class:`AnatomySettings`.
        accept_locations: Accepted locations; both have to be accepted.
        accept_views: Accepted views.
    """

    checkpoint: str = 'spine_location_view.pth'
    threshold: float = 0.8
    accept_locations: tuple[str, ...] = ('cervical', 'thoracic')
    accept_views: tuple[str, ...] = ('axial', 'sagittal')

    def __post_init__(self) -> None:
        _check_gate(self.checkpoint, self.threshold)
        _keep_names(self, 'accept_locations', LOCATION)
        _keep_names(self, 'accept_views', VIEW)

    @property
    def accept(self) -> tuple[str, ...]:
        """Accepted pairs, as the classes of location and view together are named."""
        return tuple(
            f'{location}_{view}'
            for location in self.accept_locations
            for view in self.accept_views
        )


@dataclass(frozen=True)
class SequenceSettings:
    """Gate of the sequence.

    Args:
        checkpoint: See :class:`AnatomySettings`.
        threshold: See :class:`AnatomySettings`.
        accept: See :class:`AnatomySettings`.
    """

    checkpoint: str = 'spine_sequence.pth'
    threshold: float = 0.6
    accept: tuple[str, ...] = ('T1w', 'T2w', 'T2starw')

    def __post_init__(self) -> None:
        _check_gate(self.checkpoint, self.threshold)
        _keep_names(self, 'accept', SEQUENCE)


@dataclass(frozen=True)
class SpinalCordSettings:
    """Gate of single slices, and size of the cord in them.

    Args:
        checkpoint: See :class:`AnatomySettings`.
        threshold: Probability of cord that starts a run of kept slices, in (0, 1).
        low_threshold: Least probability that goes on with a run, in (0, threshold].
        max_gap: Slices without cord between two kept ones that are kept as well.
        min_area: Pixels of cord below which a slice has none, if slices had 320 x 320
            pixels: smaller and larger ones need in proportion, axial ones a tenth of
            it. 0 keeps all.
    """

    checkpoint: str = 'spinal_cord.pth'
    threshold: float = 0.5
    low_threshold: float = 0.3
    max_gap: int = 3
    min_area: int = 100

    def __post_init__(self) -> None:
        _check_gate(self.checkpoint, self.threshold)
        _check_count('max_gap', self.max_gap, least=0)
        _check_count('min_area', self.min_area, least=0)
        if not 0 < self.low_threshold <= self.threshold:
            raise ValueError(
                f'low_threshold is {self.low_threshold}, expected a share in (0, '
                f'{self.threshold}], the threshold'
            )


@dataclass(frozen=True)
class CordSegmentationSettings:
    """Segmentation of the cord.

    Args:
        checkpoint: See :class:`AnatomySettings`.
        threshold: Probability that a voxel of the cord must exceed, in (0, 1).
        post_process: Whether small slices, all but the longest component, and holes
            are removed.
        use_crop: Whether a coarse pass finds the box that the fine pass looks at.
        min_crop_pixels: Slices of no more pixels, of those that the network sees, are
            looked at whole: a crop saves little there, and a coarse look may be wrong.
        coarse_factor: How much larger the coarse pass's pixels are, >= 1.
        coarse_step: The coarse pass looks at every so many slices, >= 1.
        margin_mm: Around the coarse cord, in the plane of the slices, >= 0.
    """

    checkpoint: str = 'cord_segmentation.pth'
    threshold: float = 0.5
    post_process: bool = True
    use_crop: bool = True
    min_crop_pixels: int = 128 * 128
    coarse_factor: float = 2.0
    coarse_step: int = 3
    margin_mm: float = 18.0

    def __post_init__(self) -> None:
        _check_gate(self.checkpoint, self.threshold)
        _check_count('coarse_step', self.coarse_step, least=1)
        _check_count('min_crop_pixels', self.min_crop_pixels, least=0)
        _check_length('coarse_factor', self.coarse_factor, least=1)
        _check_length('margin_mm', self.margin_mm, least=0)


@dataclass(frozen=True)
class LesionSegmentationSettings:
    """Segmentation of lesions.

    Args:
        checkpoint: See :class:`AnatomySettings`.
        post_process: Whether lesions outside the cord and small ones are removed.
        min_lesion_size: Voxels of the series below which a lesion is removed, >= 0.
        cord_margin_mm: How far outside the cord a lesion may lie, in mm, >= 0.
    """

    checkpoint: str = 'lesion_segmentation.pth'
    post_process: bool = True
    min_lesion_size: int = 10
    cord_margin_mm: float = 1.0

    def __post_init__(self) -> None:
        _check_gate(self.checkpoint, 0.5)
        _check_count('min_lesion_size', self.min_lesion_size, least=0)
        _check_length('cord_margin_mm', self.cord_margin_mm, least=0)


@dataclass(frozen=True)
class ModelSettings:
    """The six stages; see their classes."""

    anatomy: AnatomySettings = field(default_factory=AnatomySettings)
    spine_location_view: LocationViewSettings = field(
        default_factory=LocationViewSettings
    )
    spine_sequence: SequenceSettings = field(default_factory=SequenceSettings)
    spinal_cord: SpinalCordSettings = field(default_factory=SpinalCordSettings)
    cord_segmentation: CordSegmentationSettings = field(
        default_factory=CordSegmentationSettings
    )
    lesion_segmentation: LesionSegmentationSettings = field(
        default_factory=LesionSegmentationSettings
    )


@dataclass(frozen=True)
class CascadeSettings:
    """Everything that a user may set about the analysis of a series."""

    processing: ProcessingSettings = field(default_factory=ProcessingSettings)
    models: ModelSettings = field(default_factory=ModelSettings)


def _check_gate(checkpoint: str, threshold: float) -> None:
    # A name, so that no settings lead out of the folder of weights.
    plain = bool(checkpoint) and not set(checkpoint) & set('/\\\0')
    if not plain or checkpoint in ('.', '..'):
        raise ValueError(
            f'checkpoint is {checkpoint!r}, expected the name of a file in the folder '
            'of weights'
        )
    _check_share('threshold', threshold)


def _check_share(name: str, value: float) -> None:
    if not _is_number(value) or not 0 < value < 1:
        raise ValueError(f'{name} is {value!r}, expected a number between 0 and 1')


def _check_length(name: str, value: float, *, least: float) -> None:
    if not _is_number(value) or not least <= value < math.inf:
        raise ValueError(f'{name} is {value!r}, expected a number >= {least}')


def _check_count(name: str, value: int, *, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f'{name} is {value!r}, expected a whole number >= {least}')


def _check_choice(name: str, value: str | None, choices: Sequence[str | None]) -> None:
    if value not in choices:
        raise ValueError(f'{name} is {value!r}, expected one of {tuple(choices)}')


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _keep_names(settings: object, name: str, known: Sequence[str]) -> None:
    """Class names as a tuple; every one known, and at least one."""
    value = getattr(settings, name)
    names = (value,) if isinstance(value, str) else tuple(value)
    unknown = [item for item in names if item not in known]
    if unknown or not names:
        raise ValueError(
            f'{name} is {list(names)}, expected at least one of {list(known)}'
        )
    object.__setattr__(settings, name, names)
