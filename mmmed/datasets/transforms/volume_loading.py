"""LoadVolume and LoadVolumePatch: prepared volumes, whole or the part a patch needs.

Not here: files (``volume_files``), random transforms (``volume_spatial``).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmmed.datasets.transforms.base import DrawnTransform
from mmmed.datasets.transforms.volume_files import VolumeFiles
from mmmed.datasets.transforms.volume_pending import PendingWarp, make_warp
from mmmed.functional.geometry import compute_index_map, plan_spacing
from mmmed.functional.resampling import resample_image
from mmmed.functional.volume_warp import IGNORE_LABEL, build_matrix, find_source_box
from mmmed.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadVolume(BaseTransform):
    """Read whole volumes of every sequence, and the labels.

    Required keys: those of ``mmmed.VolumeDataset``.

    Added keys: ``img`` (C, Z, Y, X) float32; ``gt_seg_map`` (Z, Y, X) uint8, always
    on the stored grid; ``ori_shape``, ``img_shape`` (Z, Y, X), ``img_spacing``,
    ``inside`` (the box of ``img`` that holds image: all of it); on another spacing
    ``img_grid``, per axis step and offset from indices of ``img`` to stored ones.

    Modified keys: ``seg_fields`` lists ``gt_seg_map``.

    Args:
        spacing: (Z, Y, X) in mm of ``img``, linearly interpolated on the grid that
            inference uses; None for the stored one. Predictions return to the stored
            grid.

    Raises:
        FileNotFoundError: A volume is absent.
        ValueError: A volume is damaged or not what the manifest says.
    """

    def __init__(self, spacing: Sequence[float] | None = None) -> None:
        self.spacing = check_spacing(spacing)
        self._files = VolumeFiles(capacity=16)

    def transform(self, results: dict) -> dict:
        """Add the arrays of one volume; the host calls this."""
        shape = tuple(results['volume_shape'])
        channels = [self._files.read_img(p, shape) for p in results['img_paths']]
        spacing = tuple(results['spacing'])
        if self.spacing is not None and self.spacing != spacing:
            channels, results['img_grid'] = self._resample(channels, results['affine'])
            spacing = self.spacing
        img = np.stack(channels)
        results.update(
            img=img,
            ori_shape=shape,
            img_shape=img.shape[1:],
            img_spacing=list(spacing),
            inside=tuple((0, n) for n in img.shape[1:]),
        )
        if results.get('seg_map_path') is not None:
            results['gt_seg_map'] = self._files.read_seg(results['seg_map_path'], shape)
            results['seg_fields'] = [*results['seg_fields'], 'gt_seg_map']
        return results

    def _resample(
        self, channels: list[np.ndarray], affine: Any
    ) -> tuple[list[np.ndarray], tuple[tuple[float, float], ...]]:
        assert self.spacing is not None
        matrix = np.asarray(affine, np.float64)
        shape, target = plan_spacing(channels[0].shape, matrix, self.spacing)
        # As in inference: axes change their steps, they never turn.
        index_map = compute_index_map(target, matrix)
        straight = np.diag(np.diag(index_map))
        straight[:3, 3] = index_map[:3, 3]
        grid = tuple(
            (float(straight[axis, axis]), float(straight[axis, 3])) for axis in range(3)
        )
        return [resample_image(one, straight, shape) for one in channels], grid

    def __repr__(self) -> str:
        return f'{type(self).__name__}(spacing={self.spacing})'


@TRANSFORMS.register_module()
class LoadVolumePatch(DrawnTransform):
    """Choose the place of a patch and read no more than it needs.

    Without a random warp before it and on the stored spacing, the patch is cut from
    the files. Otherwise the box is read that the warped patch covers, and the warp
    stays pending until ``mmmed.WarpVolume`` or the data preprocessor of the model
    applies it, once, on whatever device.

    Patches of foreground are centred, give or take ``jitter``, on a random voxel of a
    random class; all others lie anywhere inside the volume. Where a volume is smaller
    than the patch it is placed in the middle. Beyond the image the patch holds 0,
    which is also what intensity transforms leave there, and 255 (ignored).

    Required keys: those of ``mmmed.VolumeDataset``, ``rng``.

    Used if present: ``drawn_warp`` of an ``mmmed.RandomAffineVolume`` before it.

    Added keys: ``img`` (C, Z, Y, X) float32, ``gt_seg_map`` (Z, Y, X) uint8,
    ``inside`` ((first, end) per axis: the part of ``img`` that holds image),
    ``ori_shape``, ``img_shape``, ``img_spacing``, ``applied``, and ``pending_warp``
    where there is something to resample.

    Modified keys: ``seg_fields`` lists ``gt_seg_map``.

    Args:
        size: (Z, Y, X) of the patch.
        foreground_share: Probability that the patch is centred on foreground, if
            there is any.
        classes: Labels that count as foreground; None for all.
        jitter: Largest distance of the chosen voxel from the centre of a foreground
            patch, as a share of half the patch, in [0, 1].
        spacing: (Z, Y, X) in mm of the patch; None for the stored one.
        capacity: Files kept open in a worker.

    Raises:
        FileNotFoundError: A volume is absent.
        ValueError: An option is out of range, or a volume is damaged or not what the
            manifest says.
    """

    def __init__(
        self,
        size: Sequence[int],
        foreground_share: float = 0.5,
        classes: Sequence[int] | None = None,
        jitter: float = 0.0,
        spacing: Sequence[float] | None = None,
        capacity: int = 1024,
    ) -> None:
        super().__init__(prob=1.0)
        if len(size) != 3 or min(size) < 1:
            raise ValueError(f'size is {size}, expected (Z, Y, X) in voxels')
        for name, value in (('foreground_share', foreground_share), ('jitter', jitter)):
            if not 0 <= value <= 1:
                raise ValueError(f'{name} is {value}, expected a share in [0, 1]')
        self.size = (int(size[0]), int(size[1]), int(size[2]))
        self.foreground_share = foreground_share
        self.classes = None if classes is None else tuple(classes)
        self.jitter = jitter
        self.spacing = check_spacing(spacing)
        self._files = VolumeFiles(capacity)

    def draw(self, results: dict, rng: np.random.Generator) -> dict[str, Any]:
        """Middle of the patch in indices of the stored volume, (Z, Y, X)."""
        spacing = self.spacing or results['spacing']
        # Voxels of the volume that the patch is long, unwarped.
        extent = [
            n * mm / own
            for n, mm, own in zip(self.size, spacing, results['spacing'], strict=True)
        ]
        place = None
        if rng.random() < self.foreground_share:
            place = self._draw_foreground(results, rng)
        center = []
        for axis, (n, length) in enumerate(
            zip(results['volume_shape'], extent, strict=True)
        ):
            half = (length - 1) / 2
            shift = rng.random()
            if n <= length:
                middle = (n - 1) / 2
            elif place is None:
                middle = half + shift * (n - 1 - 2 * half)
            else:
                middle = place[axis] + (2 * shift - 1) * self.jitter * half
                middle = min(max(middle, half), n - 1 - half)
            # Voxels of an unwarped patch are voxels of the volume.
            center.append(round(middle - half) + half)
        return {'center': center, 'size': list(self.size)}

    def apply(self, results: dict, params: dict[str, Any]) -> dict:
        """Read the box."""
        own = tuple(results['spacing'])
        spacing = self.spacing or own
        drawn = results.pop('drawn_warp', None)
        matrix = build_matrix((0, 0, 0), (1, 1, 1), own, spacing)
        warp = make_warp(matrix, params['center'])
        if drawn is not None:
            warp = drawn.build(self.size, own, spacing, params['center'])
        box = find_source_box(warp, self.size)
        shape = results['volume_shape']
        self._read(results, _clip(box, shape), box)
        results.update(
            ori_shape=tuple(shape),
            img_spacing=list(spacing),
            img_shape=self.size,
        )
        if not warp.is_cut or results['img'].shape[1:] != self.size:
            warp = warp.shift([first for first, _ in box])
            results['pending_warp'] = PendingWarp(warp, self.size)
        return results

    def _read(self, results: dict, kept: list, box: Sequence) -> None:
        """Arrays of ``box``, of which ``kept`` lies in the volume."""
        shape = tuple(results['volume_shape'])
        size = [end - first for first, end in box]
        inside = tuple(
            (first - start, end - start)
            for (first, end), (start, _) in zip(kept, box, strict=True)
        )
        place = tuple(slice(first, end) for first, end in inside)
        img = np.zeros((len(results['img_paths']), *size), np.float32)
        for channel, path in zip(img, results['img_paths'], strict=True):
            channel[place] = self._files.read_img(path, shape, kept)
        results.update(img=img, inside=inside)
        if results.get('seg_map_path') is None:
            return
        seg = np.full(size, IGNORE_LABEL, np.uint8)
        seg[place] = self._files.read_seg(results['seg_map_path'], shape, kept)
        results['gt_seg_map'] = seg
        results['seg_fields'] = [*results['seg_fields'], 'gt_seg_map']

    def _draw_foreground(
        self, results: dict, rng: np.random.Generator
    ) -> np.ndarray | None:
        path = results.get('seg_map_path')
        if path is None or results.get('foreground_voxels') == 0:
            return None
        found = self._files.find_foreground(path, results['volume_shape'])
        places = [
            positions
            for label, positions in zip(found.labels, found.positions, strict=True)
            if self.classes is None or label in self.classes
        ]
        if not places:
            return None
        chosen = places[int(rng.integers(len(places)))]
        return chosen[int(rng.integers(len(chosen)))]


def check_spacing(
    spacing: Sequence[float] | None,
) -> tuple[float, float, float] | None:
    """Three lengths in mm, or None.

    Raises:
        ValueError: Not three positive numbers.
    """
    if spacing is None:
        return None
    if len(spacing) != 3 or not all(0 < mm < np.inf for mm in spacing):
        raise ValueError(f'spacing is {spacing}, expected three mm > 0')
    z, y, x = (float(mm) for mm in spacing)
    return z, y, x


def _clip(box: Sequence, shape: Sequence[int]) -> list[tuple[int, int]]:
    """The part of a box that lies in the volume; possibly empty."""
    kept = []
    for (first, end), n in zip(box, shape, strict=True):
        low = min(max(first, 0), n)
        kept.append((low, max(low, min(end, n))))
    return kept
