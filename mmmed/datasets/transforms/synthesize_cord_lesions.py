"""SynthesizeCordLesions: synthetic lesions of the spinal cord in slices of volumes.

Not here: what they look like (``mmmed.synthesis``).
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmmed.datasets.transforms.base import DrawnTransform
from mmmed.datasets.transforms.volume_maps import VolumeMaps
from mmmed.functional.packed_bits import (
    extract_packed_slice,
    get_packed_shape,
    unpack_mask,
)
from mmmed.functional.planes import count_slices, drop_plane_axis, get_plane_axis
from mmmed.registry import TRANSFORMS
from mmmed.structures.spine_classes import SEQUENCE
from mmmed.synthesis import (
    CordGeometry,
    CordLesionRecipe,
    CordLesionRecord,
    apply_cord_lesions,
    measure_cord,
    plan_cord_lesions,
)

_GREY_MAX = 255.0
# Grey values of 16 bits in a step of 8: see convert_grey.
_GREY_STEP = 257


@TRANSFORMS.register_module()
class SynthesizeCordLesions(DrawnTransform):
    """Put synthetic lesions into the spinal cord of a slice.

    Lesions are drawn in the whole volume, in mm, and the slice shows what lies in it;
    other slices show the rest of the same lesions where the same numbers are drawn.
    It belongs right after ``mmmed.LoadVolumeSlice``, because it reckons in the grey
    values of the volume. The label is 1 in real and synthetic lesions; a mask of the
    cord in ``gt_seg_map`` (prepared with ``--target cord``) gives way to that of the
    lesions.

    Required keys: ``img`` (H, W, C), channels by neighbour; ``img_paths`` (one
    sequence), ``cord_path`` (None: no lesion), ``seg_map_path``, ``volume_shape``,
    ``volume_spacing`` (Z, Y, X) in mm, ``plane``, ``slice_index``, ``neighbors``,
    ``seg_fields``, ``rng`` and, without ``sequence``, ``targets``; with ``is_fixed``
    ``volume_id`` and no ``rng``.

    Modified keys: ``img``, ``gt_seg_map`` (added if there is none), ``seg_fields``,
    ``positive``, ``foreground_pixels``, ``applied``. Added keys: ``lesions``, records
    of all lesions of the volume (dicts of ``CordLesionRecord.to_json``);
    ``lesion_outcome``: ``'ok'``, or why there are none (``'lesion-free'``, ``'no
    cord'``, ``'no sequence'``, ``'no signal'``); with ``keep_cord`` ``cord_mask``
    (H, W) uint8, also in ``seg_fields``.

    Args:
        recipe: Values of ``mmmed.synthesis.CordLesionRecipe`` other than its own, as
            ``dict(negative=0.3, count=(1, 2))``.
        sequence: ``T1w``, ``T2w`` or ``T2starw`` for every slice; None reads
            ``targets['sequence']``, a class number or name.
        focus: Probability that the first lesion has its centre on the slice: most
            lesions of a volume would miss it. Without effect if ``is_fixed``.
        is_fixed: For validation and test: the lesions of a volume follow from ``seed``
            and its ``volume_id`` alone, on every slice, in every epoch and worker.
        seed: For ``is_fixed``, >= 0.
        keep_cord: Also give the mask of the cord.
        label: ``'lesion'``, or ``'cord'`` to leave the mask of the cord that
            ``gt_seg_map`` has: for a network of cords that lesions shall not disturb.
        cache_mb: Memory for what is known of the cords, in each worker.

    Raises:
        ValueError: An option is unknown or out of range, the slice does not come
            straight from its volume, or a file is not what the manifest says.
        FileNotFoundError: A file of the volume is absent.
    """

    def __init__(
        self,
        recipe: Mapping[str, Any] | None = None,
        sequence: str | None = None,
        focus: float = 0.5,
        is_fixed: bool = False,
        seed: int = 0,
        keep_cord: bool = False,
        label: str = 'lesion',
        cache_mb: float = 64,
    ) -> None:
        super().__init__(1.0)
        if sequence is not None and sequence not in SEQUENCE:
            raise ValueError(
                f'sequence is {sequence!r}, expected one of {SEQUENCE} or None'
            )
        if not 0 <= focus <= 1 or seed < 0 or cache_mb < 0:
            raise ValueError(
                f'focus is {focus}, seed {seed}, cache_mb {cache_mb}; expected a '
                'probability and numbers >= 0'
            )
        if label not in ('lesion', 'cord'):
            raise ValueError(f"label is {label!r}, expected 'lesion' or 'cord'")
        self.recipe = _build_recipe(recipe or {})
        self.sequence = sequence
        self.focus = focus
        self.is_fixed = is_fixed
        self.seed = seed
        self.keep_cord = keep_cord
        self.label = label
        self.cache_mb = cache_mb
        self._cords: OrderedDict[tuple[str, str], CordGeometry] = OrderedDict()
        self._maps = VolumeMaps()

    def __getstate__(self) -> dict:
        # A worker that is spawned measures its own.
        return {**vars(self), '_cords': OrderedDict()}

    def transform(self, results: dict) -> dict:
        """Draw and apply; the host calls this."""
        if not self.is_fixed:
            return super().transform(results)
        key = f'{self.seed}/{results["volume_id"]}'.encode()
        words = np.frombuffer(hashlib.sha256(key).digest(), '<u4')
        own = {'rng': results['rng']} if 'rng' in results else {}
        rng = np.random.default_rng(np.random.SeedSequence(words.tolist()))
        changed = super().transform({**results, 'rng': rng})
        del changed['rng']
        return changed | own

    def draw(self, results: dict, rng: np.random.Generator) -> dict[str, Any]:
        """Records of the lesions of the volume, and what became of the wish."""
        _check_slice(results)
        # Always drawn, so that one option does not shift what others draw.
        is_focused = rng.random() < self.focus and not self.is_fixed
        if results.get('cord_path') is None:
            return {'lesions': [], 'outcome': 'no cord'}
        plan = plan_cord_lesions(
            self._find_geometry(results),
            self.sequence or _name_sequence(results),
            rng,
            recipe=self.recipe,
            focus=((results['plane'], results['slice_index']) if is_focused else None),
        )
        lesions = [lesion.to_json() for lesion in plan.lesions]
        return {'lesions': lesions, 'outcome': plan.outcome}

    def apply(self, results: dict, params: dict[str, Any]) -> dict:
        """Change the slice and its label map."""
        records = [CordLesionRecord.from_json(values) for values in params['lesions']]
        results['lesions'] = list(params['lesions'])
        results['lesion_outcome'] = params['outcome']
        shape = results['img'].shape[:2]
        label = np.zeros(shape, np.uint8)
        if records:
            img = np.empty_like(results['img'])
            for channel, offset in enumerate(results['neighbors']):
                made = self._apply_to_slice(results, channel, offset, records)
                img[..., channel] = made[0]
                if offset == 0:
                    label = made[1]
            results['img'] = img
        self._set_labels(results, label)
        if self.keep_cord:
            cord = np.zeros(shape, bool)
            if results.get('cord_path') is not None:
                cord = self._read_cord(results, results['slice_index'])
            results['cord_mask'] = cord.astype(np.uint8)
            _add_field(results, 'cord_mask')
        return results

    def _apply_to_slice(
        self,
        results: dict,
        channel: int,
        offset: int,
        records: list[CordLesionRecord],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Image and label of one channel, (H, W)."""
        plane, index = results['plane'], results['slice_index'] + offset
        img = results['img'][..., channel]
        if not 0 <= index < count_slices(results['volume_shape'], plane):
            return img, np.zeros(img.shape, np.uint8)
        axis = get_plane_axis(plane)
        volume = self._open_image(results)
        made = apply_cord_lesions(
            np.expand_dims(img, axis),
            np.expand_dims(self._read_cord(results, index), axis),
            records,
            results['volume_spacing'],
            origin=[index if k == axis else 0 for k in range(3)],
            grey_scale=1 / _GREY_STEP if volume.dtype == np.uint16 else 1.0,
        )
        image = made.image.squeeze(axis)
        # What is brighter than the volume's white was cut off there, too.
        return np.minimum(image, _GREY_MAX), made.label.squeeze(axis)

    def _set_labels(self, results: dict, label: np.ndarray) -> None:
        """The union of real and synthetic lesions as the label map, or the cord."""
        seg = results.get('gt_seg_map')
        path = results.get('cord_path')
        holds_cord = path is not None and path == results.get('seg_map_path')
        if self.label == 'cord':
            if seg is not None and not holds_cord:
                raise ValueError(
                    f'{results["seg_map_path"]} is no mask of a cord, which the label '
                    'is to be; prepare the data with --target cord'
                )
            return
        if seg is not None and not holds_cord:
            label = np.where((label > 0) & (seg == 0), label, seg).astype(seg.dtype)
        results['gt_seg_map'] = label
        count = int(np.count_nonzero(label == 1))
        results |= {'foreground_pixels': count, 'positive': count > 0}
        _add_field(results, 'gt_seg_map')

    def _find_geometry(self, results: dict) -> CordGeometry:
        """What is known of the cord of a volume, from memory or measured."""
        key = (results['cord_path'], results['img_paths'][0])
        found = self._cords.get(key)
        if found is not None:
            self._cords.move_to_end(key)
            return found
        shape = results['volume_shape']
        packed = self._maps.open(results['cord_path'], get_packed_shape(shape))
        found = measure_cord(
            unpack_mask(packed, shape),
            self._open_image(results),
            results['volume_spacing'],
        )
        if found.is_empty:
            print_log(
                f'{results["cord_path"]}: no voxel of cord, so no synthetic lesion',
                'current',
                30,
            )
        self._cords[key] = found
        used = sum(cord.num_bytes for cord in self._cords.values())
        while used > self.cache_mb * 1e6 and len(self._cords) > 1:
            used -= self._cords.popitem(last=False)[1].num_bytes
        return found

    def _open_image(self, results: dict) -> np.ndarray:
        return self._maps.open(results['img_paths'][0], results['volume_shape'])

    def _read_cord(self, results: dict, index: int) -> np.ndarray:
        shape = results['volume_shape']
        packed = self._maps.open(results['cord_path'], get_packed_shape(shape))
        return extract_packed_slice(packed, shape, results['plane'], index)

    def __repr__(self) -> str:
        shown = {k: v for k, v in vars(self).items() if k[0] != '_' and k != 'prob'}
        values = ', '.join(f'{key}={value!r}' for key, value in shown.items())
        return f'{type(self).__name__}({values})'


def _build_recipe(values: Mapping[str, Any]) -> CordLesionRecipe:
    try:
        return CordLesionRecipe(**values)
    except TypeError as error:
        known = ', '.join(CordLesionRecipe.__dataclass_fields__)
        raise ValueError(f'recipe: {error}; expected some of {known}') from error


def _check_slice(results: dict) -> None:
    shape = (
        *drop_plane_axis(results['volume_shape'], results['plane']),
        len(results['neighbors']),
    )
    if results['img'].shape != shape or len(results['img_paths']) != 1:
        raise ValueError(
            f'img has shape {results["img"].shape} of {len(results["img_paths"])} '
            f'sequence(s), expected {shape} of one; put SynthesizeCordLesions right '
            'after LoadVolumeSlice'
        )


def _name_sequence(results: dict) -> str | None:
    """Name of the sequence of a slice, None if nobody knows it."""
    value = results['targets']['sequence']
    if isinstance(value, str):
        return value
    return SEQUENCE[value] if 0 <= value < len(SEQUENCE) else None


def _add_field(results: dict, name: str) -> None:
    if name not in results['seg_fields']:
        results['seg_fields'] = [*results['seg_fields'], name]
