"""Applying records to an image: NumPy or torch, CPU or GPU, one code.

A record gives the same bits again on the same kind of device, for any number of
threads. Not here: drawing records (``drawing``).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmmed.functional.masks import Box, check_spacing
from mmmed.synthesis.composition import LesionLayer, build_layers, compose_layer
from mmmed.synthesis.records import LesionRecord

Array = NDArray[Any] | Tensor


class AppliedLesions(NamedTuple):
    """Image and label with lesions, and the labelled voxels of each record."""

    image: Any
    label: Any
    voxels: list[int]


def apply_lesions(
    image: Array,
    organ_mask: Array,
    lesions: Sequence[LesionRecord],
    spacing: Sequence[float],
    *,
    origin: Sequence[int] = (0, 0, 0),
    in_place: bool = False,
) -> tuple[Any, Any]:
    """Put lesions into an image.

    Args:
        image: (Z, Y, X), HU, NumPy or torch; floating or int16 or int32. Rounded
            where it holds integers.
        organ_mask: (Z, Y, X) boolean or integer, 1 inside the organ; voxels with
            another value (real tumor, ignored) are never touched.
        lesions: Records.
        spacing: (Z, Y, X) in mm.
        origin: Index of the first voxel of ``image`` in the volume that the records
            speak of: a patch shows the part of the lesions that lies in it.
        in_place: Write into ``image``, which saves copying a large volume.

    Returns:
        ``image`` of the same type, and the label, uint8: the mask with 2 in lesions.
        Voxels outside the organ keep their bits. The mean change over each lesion's
        label is its ``delta_hu``; a lesion that reaches no voxel's centre changes
        nothing.

    Raises:
        ValueError: Shapes differ or the image's type has no room for HU.
    """
    applied = apply_records(
        image, organ_mask, lesions, spacing, origin=origin, in_place=in_place
    )
    return applied.image, applied.label


def apply_records(
    image: Array,
    organ_mask: Array,
    lesions: Sequence[LesionRecord],
    spacing: Sequence[float],
    *,
    origin: Sequence[int] = (0, 0, 0),
    in_place: bool = False,
) -> AppliedLesions:
    """As :func:`apply_lesions`, and how many voxels each lesion got."""
    _check_arrays(image, organ_mask)
    lengths = check_spacing(spacing, 3)
    out = _open_image(image, in_place)
    label = _open_mask(organ_mask, out.device)
    # The arrays are opened before, so that they stay tensors like any other.
    with torch.inference_mode():
        organ = _find_inside(organ_mask, label)
        counts = _apply(out, label, organ, lesions, lengths, origin)
    voxels = [int(count) for count in counts]
    if isinstance(image, np.ndarray):
        return AppliedLesions(image if in_place else out.numpy(), label.numpy(), voxels)
    return AppliedLesions(out, label, voxels)


def _apply(
    out: Tensor,
    label: Tensor,
    organ: Tensor,
    lesions: Sequence[LesionRecord],
    spacing: Sequence[float],
    origin: Sequence[int],
) -> list[Tensor | int]:
    """Write lesions into image and label; voxels of each, not yet read from a GPU."""
    layers = build_layers(lesions, organ, spacing, origin)
    counts: list[Tensor | int] = [0] * len(layers)
    for group in group_layers(layers):
        members = [layer for index in group if (layer := layers[index])]
        if len(members) > 1:
            share_voxels(members)
        # All changes of a group are known before its part of the image changes.
        parts = [out[m.box] for m in members]
        changes = [
            compose_layer(m, part, spacing)
            for m, part in zip(members, parts, strict=True)
        ]
        for place, index in enumerate(group):
            change, counts[index] = changes[place]
            _add(parts[place], change, members[place].organ)
            label[members[place].box].add_(members[place].label)  # 1 becomes 2
    return counts


def group_layers(layers: Sequence[LesionLayer | None]) -> list[list[int]]:
    """Indices of the layers, those whose boxes touch directly or by others together."""
    groups: list[list[int]] = []
    for index, layer in enumerate(layers):
        if layer is None:
            continue
        joined = [index]
        apart = []
        for group in groups:
            others = [layers[i] for i in group]
            meets = any(o is not None and _meet(layer.box, o.box) for o in others)
            if meets:
                joined = group + joined
            else:
                apart.append(group)
        groups = [*apart, sorted(joined)]
    return groups


def share_voxels(layers: Sequence[LesionLayer]) -> None:
    """Leave each voxel to the lesion that weighs most there; changes the layers.

    The lesions merge, and the contrast of each is still exact over its own voxels.
    """
    first = [min(layer.box[axis].start for layer in layers) for axis in range(3)]
    last = [max(layer.box[axis].stop for layer in layers) for axis in range(3)]
    size = [stop - start for start, stop in zip(first, last, strict=True)]
    device = layers[0].weight.device
    best = torch.zeros(size, dtype=torch.float32, device=device)
    owner = torch.zeros(size, dtype=torch.int16, device=device)
    views = []
    for number, layer in enumerate(layers, start=1):
        place = tuple(
            slice(part.start - start, part.stop - start)
            for part, start in zip(layer.box, first, strict=True)
        )
        there, owned = best[place], owner[place]
        owned.masked_fill_(layer.weight > there, number)
        torch.maximum(there, layer.weight, out=there)
        views.append(owned)
    for number, (layer, owned) in enumerate(zip(layers, views, strict=True), start=1):
        mine = owned == number
        layer.weight.mul_(mine)
        layer.label.logical_and_(mine)
        if layer.lesion.mass_effect > 0:
            # Surroundings are pushed, but not another lesion.
            layer.organ.logical_and_(mine | (owned == 0))


def _meet(one: Box, other: Box) -> bool:
    return all(
        a.start < b.stop and b.start < a.stop for a, b in zip(one, other, strict=True)
    )


def _add(view: Tensor, change: Tensor, organ: Tensor) -> None:
    """Add in place inside the organ, in the type of the image."""
    new = view + change if view.is_floating_point() else _round_to(view, change)
    # Outside not even the sign of a zero changes.
    view.copy_(torch.where(organ, new, view))


def _round_to(view: Tensor, change: Tensor) -> Tensor:
    limits = torch.iinfo(view.dtype)
    return (view + change).round_().clamp_(limits.min, limits.max).to(view.dtype)


def _check_arrays(image: Array, organ_mask: Array) -> None:
    if tuple(image.shape) != tuple(organ_mask.shape) or len(image.shape) != 3:
        raise ValueError(
            f'image has shape {tuple(image.shape)}, organ mask '
            f'{tuple(organ_mask.shape)}, expected the same (Z, Y, X)'
        )
    name = str(image.dtype).removeprefix('torch.')
    if name not in ('float16', 'bfloat16', 'float32', 'float64', 'int16', 'int32'):
        raise ValueError(
            f'image is {name}, expected HU as floating numbers, int16 or int32'
        )


def _open_image(image: Array, in_place: bool) -> Tensor:
    """A tensor to write into: the image itself, or a copy."""
    if isinstance(image, Tensor):
        return image.detach() if in_place else image.detach().clone()
    return torch.from_numpy(image if in_place else np.array(image, order='C'))


def _find_inside(organ_mask: Array, label: Tensor) -> Tensor:
    """Organ voxels as a boolean tensor; nothing is copied where the mask is binary.

    The mask itself where that can be, since the label is about to be written.
    """
    if label.device.type != 'cpu':
        return label == 1
    values = label.numpy()
    if values.size and values.max() > 1:
        # NumPy compares bytes twenty times as fast as torch.
        return torch.from_numpy(values == 1)
    if isinstance(organ_mask, Tensor) and organ_mask.element_size() == 1:
        return organ_mask.view(torch.bool)
    mask = np.asarray(organ_mask)
    # torch takes no array that is read-only or runs backwards.
    if mask.itemsize == 1 and mask.flags.writeable and min(mask.strides) > 0:
        return torch.from_numpy(mask.view(np.bool_))
    return torch.from_numpy(values.astype(bool))


def _open_mask(organ_mask: Array, device: torch.device) -> Tensor:
    """A copy of the mask as uint8."""
    if isinstance(organ_mask, Tensor):
        return organ_mask.to(device=device, dtype=torch.uint8, copy=True)
    return torch.from_numpy(np.array(organ_mask, dtype=np.uint8, order='C')).to(device)
