"""ScanRecipe: how a scan becomes a network's input and its output a label map.

Plain data that JSON can carry, so that an exported network takes it along. Not here:
where the values come from (``config_recipe``) and what is done with them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from mmmed.functional.planes import PLANES, drop_plane_axis, get_plane_axis
from mmmed.inference.intensity import Intensity

# Orientation of (stack, rows, columns) of slices that are stored as they are looked
# at: rows run towards posterior or inferior, columns towards the patient's left or
# posterior.
PICTURE_PLANES = {'axial': 'SPL', 'coronal': 'PIL', 'sagittal': 'LIP'}
# Of slices that are cut from prepared volumes, whose axes point as VOLUME_AXES says.
VOLUME_AXES = 'SAR'
VOLUME_PLANES = {
    plane: VOLUME_AXES[get_plane_axis(plane)]
    + ''.join(drop_plane_axis(VOLUME_AXES, plane))
    for plane in PLANES
}
MAX_CLASSES = 255


@dataclass(frozen=True)
class ScanRecipe:
    """Everything around a network, from a scan to its label map.

    A scan is turned to ``orientation`` (a picture, which has none, stays as it is),
    brought to ``spacing`` and through ``intensity``; a 2-D network gets its slices
    along the first axis, fitted into ``size``; then ``(value - mean) / std``.

    Args:
        classes: Names; the first is the background. The place is the label.
        in_channels: Channels that the network takes.
        out_channels: Channels it gives; 1 for a sigmoid, else one per class.
        dimension: 2 for slices, 3 for volumes.
        orientation: Where Z, Y and X of the network's arrays point, e.g. ``'SPL'``.
        spacing: Voxel size (Z, Y, X) in mm that a 3-D network expects; None takes
            scans as they are.
        intensity: From stored values to the scale of the training images.
        mean: Per channel, or one for all.
        std: Likewise, > 0.
        neighbors: 2-D only: offsets of the slices that are channels, in this order,
            e.g. ``(-2, -1, 0, 1)``; K stands for ``(-K, ..., K)``. Slices beyond the
            ends are 0, on the scale of the training images.
        size: 2-D only: shape (Y, X) into which slices are fitted; None keeps theirs.
        size_divisor: Without ``crop_size``: inputs are padded at the end of each
            axis to multiples of this.
        crop_size: Size of sliding windows per axis of the network; None feeds whole
            slices. 3-D networks always slide.
        stride: Largest distance of windows; None means half of ``crop_size``.
        window_weight: ``'gaussian'`` or ``'constant'``.
        pad_value: Of padded pixels, after normalisation.
        threshold: Probability that foreground must exceed, for one channel.
        align_corners: How logits of slices are resized.
        flips: For test-time augmentation: sets of the network's axes to mirror,
            counted from the end (-1 is X), e.g. ``((-1,),)``.

    Raises:
        ValueError: A value is impossible or two of them disagree.
    """

    classes: tuple[str, ...]
    in_channels: int = 1
    out_channels: int = 1
    dimension: int = 2
    orientation: str = PICTURE_PLANES['axial']
    spacing: tuple[float, ...] | None = None
    intensity: Intensity = field(default_factory=Intensity)
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    neighbors: tuple[int, ...] = (0,)
    size: tuple[int, int] | None = None
    size_divisor: int = 1
    crop_size: tuple[int, ...] | None = None
    stride: tuple[int, ...] | None = None
    window_weight: str = 'gaussian'
    pad_value: float = 0.0
    threshold: float = 0.5
    align_corners: bool = False
    flips: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        for name in ('classes', 'spacing', 'mean', 'std', 'size', 'crop_size'):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, tuple(value))
        object.__setattr__(self, 'neighbors', list_offsets(self.neighbors))
        object.__setattr__(self, 'flips', tuple(tuple(axes) for axes in self.flips))
        if self.crop_size is not None:
            stride = self.stride or tuple(max(1, n // 2) for n in self.crop_size)
            object.__setattr__(self, 'stride', tuple(stride))
        _check_channels(self)
        _check_grid(self)
        _check_windows(self)
        _check_numbers(self)

    @property
    def fed_size(self) -> tuple[int, ...] | None:
        """Spatial shape of every input of the network; None if it varies."""
        if self.crop_size is not None:
            return self.crop_size
        if self.size is None:
            return None
        return tuple(n + -n % self.size_divisor for n in self.size)

    def to_dict(self) -> dict[str, Any]:
        """Values as JSON holds them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> 'ScanRecipe':
        """The recipe that :meth:`to_dict` described.

        Args:
            values: Arguments by name; ``intensity`` may be a dict, and ``plane``, one
                of ``PLANES``, turns ``orientation`` within slices of its kind: those
                of ``VOLUME_PLANES`` or else those of ``PICTURE_PLANES``.

        Raises:
            ValueError: A key is unknown or absent, or a value impossible.
        """
        values = dict(values)
        if 'plane' in values:
            values['orientation'] = _find_orientation(values)
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(
                f'inference recipe has unknown keys {unknown}, expected some of '
                f'{sorted(known)}'
            )
        if isinstance(values.get('intensity'), Mapping):
            values['intensity'] = Intensity.from_dict(values['intensity'])
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError(f'inference recipe is not usable: {error}') from error


def _find_orientation(values: dict[str, Any]) -> str:
    """Orientation of the plane that ``values`` loses."""
    plane = values.pop('plane')
    get_plane_axis(plane)
    if values.get('dimension', 2) != 2:
        raise ValueError(f'plane {plane!r} is for 2-D networks, this one is 3-D')
    is_volume = values.get('orientation') in VOLUME_PLANES.values()
    return (VOLUME_PLANES if is_volume else PICTURE_PLANES)[plane]


def list_offsets(neighbors: int | Sequence[int]) -> tuple[int, ...]:
    """Offsets of slices, from themselves or from how many are on each side.

    Raises:
        ValueError: Not whole numbers, one of them twice, or fewer than no slices.
    """
    if isinstance(neighbors, int):
        if neighbors < 0:
            raise ValueError(f'neighbors is {neighbors}, expected >= 0')
        return tuple(range(-neighbors, neighbors + 1))
    offsets = tuple(neighbors)
    is_whole = all(isinstance(n, int) and not isinstance(n, bool) for n in offsets)
    if not offsets or not is_whole or len(set(offsets)) < len(offsets):
        raise ValueError(
            f'neighbors are {neighbors!r}, expected whole offsets such as (-1, 0, 1), '
            'each once'
        )
    return offsets


def _check_channels(recipe: ScanRecipe) -> None:
    count = len(recipe.classes)
    if not 2 <= count <= MAX_CLASSES or not all(
        isinstance(name, str) for name in recipe.classes
    ):
        raise ValueError(
            f'classes are {recipe.classes!r}, expected 2 to {MAX_CLASSES} names, the '
            'background first'
        )
    if recipe.out_channels != (1 if recipe.out_channels == 1 and count == 2 else count):
        raise ValueError(
            f'{recipe.out_channels} output channels for {count} classes, expected '
            'one per class, or one for two classes'
        )
    slices = len(recipe.neighbors)
    fed = recipe.intensity.num_channels
    if recipe.in_channels % slices or (fed and fed * slices != recipe.in_channels):
        raise ValueError(
            f'the network takes {recipe.in_channels} channels, but intensity gives '
            f'{fed or "?"} for each of {slices} slices; change windows_hu or neighbors'
        )


def _check_grid(recipe: ScanRecipe) -> None:
    if recipe.dimension not in (2, 3):
        raise ValueError(f'dimension is {recipe.dimension!r}, expected 2 or 3')
    is_flat = recipe.dimension == 2
    if is_flat and recipe.spacing is not None:
        raise ValueError('spacing is for 3-D networks; slices are fitted into size')
    if not is_flat and (recipe.size is not None or recipe.neighbors != (0,)):
        raise ValueError('size and neighbors are for 2-D networks')
    if not is_flat and recipe.crop_size is None:
        raise ValueError(
            'a 3-D network needs crop_size=(Z, Y, X), the size of its windows'
        )
    if recipe.spacing is not None and not (
        len(recipe.spacing) == 3
        and all(math.isfinite(mm) and mm > 0 for mm in recipe.spacing)
    ):
        raise ValueError(f'spacing is {recipe.spacing}, expected three mm > 0')
    letters = [
        sorted(set(pair) & set(recipe.orientation)) for pair in ('RL', 'AP', 'SI')
    ]
    if len(recipe.orientation) != 3 or [len(found) for found in letters] != [1, 1, 1]:
        raise ValueError(
            f'orientation is {recipe.orientation!r}, expected one of R/L, one of A/P '
            'and one of S/I, such as "SPL"'
        )


def _check_windows(recipe: ScanRecipe) -> None:
    size, stride = recipe.crop_size, recipe.stride
    if recipe.window_weight not in ('gaussian', 'constant'):
        raise ValueError(
            f"window_weight is {recipe.window_weight!r}, expected 'gaussian' or "
            "'constant'"
        )
    for name, value in (('size', recipe.size), ('crop_size', size)):
        wanted = 2 if name == 'size' else recipe.dimension
        if value is not None and (len(value) != wanted or min(value) < 1):
            raise ValueError(f'{name} is {value}, expected {wanted} sizes > 0')
    if size is not None and stride is not None:
        fits = len(stride) == len(size)
        if not fits or not all(
            1 <= step <= n for step, n in zip(stride, size, strict=True)
        ):
            raise ValueError(
                f'stride is {stride}, expected 1 to {size} per axis; larger ones '
                'would leave gaps'
            )
    axes = set(range(-recipe.dimension, 0))
    if not all(flip and set(flip) <= axes for flip in recipe.flips):
        raise ValueError(
            f'flips are {recipe.flips}, expected sets of axes from {sorted(axes)}'
        )


def _check_numbers(recipe: ScanRecipe) -> None:
    for name in ('mean', 'std'):
        values: Sequence[float] = getattr(recipe, name)
        if len(values) not in (1, recipe.in_channels) or not all(
            math.isfinite(value) for value in values
        ):
            raise ValueError(
                f'{name} is {values}, expected 1 or {recipe.in_channels} numbers'
            )
    if min(recipe.std) <= 0:
        raise ValueError(f'std is {recipe.std}, expected numbers > 0')
    if not 0 < recipe.threshold < 1:
        raise ValueError(f'threshold is {recipe.threshold}, expected one in (0, 1)')
    if recipe.size_divisor < 1 or recipe.in_channels < 1:
        raise ValueError(
            f'size_divisor {recipe.size_divisor}, in_channels {recipe.in_channels}: '
            'expected at least 1'
        )
