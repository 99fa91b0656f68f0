"""Lesions of a prepared folder to one array of all sequences.

Not here: random changes (``roi_sequences``, ``roi_dropout``, ``roi_legacy``), packing
(``roi_packing``).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from numpy.typing import NDArray

from mmmed.datasets.transforms.volume_maps import VALUE_TYPES, VolumeMaps
from mmmed.functional.geometry import compute_index_map
from mmmed.functional.resampling import resample_image
from mmmed.functional.roi_crop import crop_padded, make_box_mask, select_slices
from mmmed.functional.roi_location import center_grid, find_index
from mmmed.functional.sequence_scale import (
    check_rule,
    choose_rule,
    measure_values,
    plan_scale,
)
from mmmed.registry import TRANSFORMS

_UNKNOWN_MM = 25.0


@TRANSFORMS.register_module()
class LoadROISequences(BaseTransform):
    """All sequences of one lesion on one grid, each on its scale.

    A sequence that is missing is 0 and not ``available``; nothing is made up for it.
    Files are mapped: the pages of all workers are the same memory.

    Required keys: ``sequences``, ``img_paths``, ``grids``, ``intensity``,
    ``centers_mm``, ``normalisation``, ``size_mm``.

    Added keys: ``img`` (S, 1, Z, Y, X) float32, ``available`` (S,) bool,
    ``img_spacing`` and ``spacing`` ((Z, Y, X) in mm, of the first sequence there is),
    ``img_shape``.

    Args:
        size: (Z, Y, X) in voxels; None takes what is stored, which then must be alike.
            Without ``spacing`` and ``field`` voxels are cut or padded with 0 about
            the lesion.
        spacing: (Z, Y, X) in mm to resample to, about the lesion; needs ``size``.
        field: Width of the field of view (Z, Y, X) in diameters of the lesion, such
            as (1.5, 2, 2): lesions of every size then look equally large; needs
            ``size``.
        normalize: Rules by sequence instead of those of the manifest, such as
            ``dict(adc=dict(rule='zscore'))``; the name ``default`` counts for all
            that are not named.
        capacity: Files kept open in a worker.

    Raises:
        FileNotFoundError: A file is absent.
        ValueError: An option is wrong, shapes differ without ``size``, or a file is
            not what the manifest says.
    """

    def __init__(
        self,
        size: Sequence[int] | None = None,
        spacing: Sequence[float] | None = None,
        field: Sequence[float] | None = None,
        normalize: Mapping[str, Mapping[str, Any]] | None = None,
        capacity: int = 4096,
    ) -> None:
        for name, value in (('size', size), ('spacing', spacing), ('field', field)):
            if value is not None and (len(value) != 3 or min(value) <= 0):
                raise ValueError(f'{name} is {value}, expected (Z, Y, X), > 0')
        if (spacing is not None or field is not None) and size is None:
            raise ValueError('spacing and field need a size (Z, Y, X) in voxels')
        if spacing is not None and field is not None:
            raise ValueError('give spacing or field, they exclude each other')
        self.size = None if size is None else tuple(int(n) for n in size)
        self.spacing = None if spacing is None else tuple(float(v) for v in spacing)
        self.field = None if field is None else tuple(float(v) for v in field)
        self.normalize = {n: check_rule(r) for n, r in (normalize or {}).items()}
        self._maps = VolumeMaps(capacity, VALUE_TYPES)

    def transform(self, results: dict) -> dict:
        """Load one lesion; the host calls this."""
        names = results['sequences']
        shape = self._find_shape(results)
        img = np.zeros((len(names), 1, *shape), np.float32)
        available = np.zeros(len(names), bool)
        spacing = None
        for index, name in enumerate(names):
            if name not in results['img_paths']:
                continue
            part, mm = self._load(results, name, shape)
            img[index, 0] = part
            available[index] = True
            spacing = spacing or mm
        spacing = spacing or self.spacing or (1.0, 1.0, 1.0)
        results.update(
            img=img,
            available=available,
            spacing=spacing,
            img_spacing=spacing,
            img_shape=shape,
        )
        return results

    def _find_shape(self, results: dict) -> tuple[int, ...]:
        if self.size is not None:
            return self.size
        shapes = {tuple(grid['shape']) for grid in results['grids'].values()}
        if len(shapes) != 1:
            raise ValueError(
                f'{results["case_id"]}: sequences of {sorted(shapes)} voxels, expected '
                'one shape; give LoadROISequences a size, or prepare with --size'
            )
        return shapes.pop()

    def _load(
        self, results: dict, name: str, shape: tuple[int, ...]
    ) -> tuple[NDArray, tuple[float, ...]]:
        """Array of one sequence on the wanted grid, and its voxel size."""
        grid = results['grids'][name]
        stored = self._maps.open(results['img_paths'][name], tuple(grid['shape']))
        array = self._scale(results, name, stored)
        mm = tuple(float(v) for v in grid['spacing'])
        if self.size is None:
            return array, mm
        affine = np.asarray(grid['affine'], np.float64)
        center = np.array(array.shape) // 2
        place = results['centers_mm'].get(name)
        if place is not None:
            center = find_index(affine, place)
        if self.spacing is None and self.field is None:
            box = [
                (start, start + n)
                for start, n in zip(
                    (np.rint(center).astype(int) - np.array(shape) // 2).tolist(),
                    shape,
                    strict=True,
                )
            ]
            if all(
                s == 0 and e == n for (s, e), n in zip(box, array.shape, strict=True)
            ):
                return array, mm
            return crop_padded(array, box)[0], mm
        wanted = self.spacing or self._measure_field(results, shape)
        if place is None:
            place = (affine @ [*center, 1.0])[:3]
        index_map = compute_index_map(center_grid(affine, place, shape, wanted), affine)
        return resample_image(array, index_map, shape), wanted

    def _measure_field(
        self, results: dict, shape: tuple[int, ...]
    ) -> tuple[float, ...]:
        assert self.field is not None
        size_mm = results['size_mm'] or _UNKNOWN_MM
        return tuple(
            share * size_mm / n for share, n in zip(self.field, shape, strict=True)
        )

    def _scale(self, results: dict, name: str, stored: NDArray) -> NDArray[np.float32]:
        rule = (
            self.normalize.get(name)
            or self.normalize.get('default')
            or results['normalisation'].get(name)
            or choose_rule(name)
        )
        facts = results['intensity'].get(name) or measure_values(stored)
        return plan_scale(rule, facts).apply(stored)

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(size={self.size}, spacing={self.spacing}, '
            f'field={self.field}, normalize={self.normalize})'
        )


@TRANSFORMS.register_module()
class AddROIBox(BaseTransform):
    """Where the lesion is: a box of its diameter about the middle of the crop.

    Required keys: ``img`` (S, 1, Z, Y, X), ``available``, ``img_spacing``,
    ``size_mm``; without a size the box has 25 mm.

    Modified keys: ``img``: (S, 2, Z, Y, X), or (S, 1, Z + 1, Y, X).

    Args:
        kind: ``'channel'``: a second channel with a box in all three axes;
            ``'slice'``: one more slice behind the others with a square, as published.

    Raises:
        ValueError: Another kind, or there is a box already.
    """

    def __init__(self, kind: str = 'channel') -> None:
        if kind not in ('channel', 'slice'):
            raise ValueError(f"kind is {kind!r}, expected 'channel' or 'slice'")
        self.kind = kind

    def transform(self, results: dict) -> dict:
        """Add the box; the host calls this."""
        img = results['img']
        if img.ndim != 5 or img.shape[1] != 1:
            raise ValueError(f'img has shape {img.shape}, expected (S, 1, Z, Y, X)')
        size_mm = results['size_mm'] or _UNKNOWN_MM
        is_flat = self.kind == 'slice'
        box = make_box_mask(
            img.shape[2:], size_mm, results['img_spacing'], is_flat=is_flat
        )
        if is_flat:
            box = box[:1]
        part = np.zeros((len(img), 1, *box.shape), np.float32)
        part[results['available']] = box
        results['img'] = np.concatenate([img, part], axis=2 if is_flat else 1)
        results['img_shape'] = results['img'].shape[2:]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(kind={self.kind!r})'


@TRANSFORMS.register_module()
class SelectROISlices(BaseTransform):
    """A fixed number of slices, as networks of stacked slices want them.

    Required keys: ``img`` (S, C, Z, Y, X), and ``rng`` if it draws.

    Modified keys: ``img`` (S, C, count, Y, X). Added keys: ``applied`` if it draws.

    Args:
        count: Number of slices, >= 1; some repeat where there are fewer.
        is_random: Draw where the window of neighbours begins, instead of the middle.
        is_joint: The same window in all sequences.

    Raises:
        ValueError: ``count`` is less than 1.
    """

    def __init__(
        self, count: int = 5, is_random: bool = False, is_joint: bool = True
    ) -> None:
        if count < 1:
            raise ValueError(f'count is {count}, expected 1 or more')
        self.count = count
        self.is_random = is_random
        self.is_joint = is_joint

    def transform(self, results: dict) -> dict:
        """Select; the host calls this."""
        img = results['img']
        rng = results['rng'] if self.is_random else None
        length = img.shape[2]
        if self.is_joint or rng is None:
            chosen = [select_slices(length, self.count, rng)] * len(img)
        else:
            chosen = [select_slices(length, self.count, rng) for _ in img]
        results['img'] = np.stack(
            [part[:, index] for part, index in zip(img, chosen, strict=True)]
        )
        results['img_shape'] = results['img'].shape[2:]
        if rng is not None:
            record = {'type': type(self).__name__, 'first': [c[0] for c in chosen]}
            results['applied'] = [*results.get('applied', []), record]
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(count={self.count}, is_random={self.is_random}, '
            f'is_joint={self.is_joint})'
        )
