"""LoadVolumeSlice: one slice of a prepared volume, with neighbours, and its mask.

Not here: memory maps (``volume_maps``), random transforms.
"""

import numpy as np
from mmcv.transforms import BaseTransform

from mmmed.datasets.transforms.turned_volumes import TurnedVolumes
from mmmed.datasets.transforms.volume_maps import VolumeMaps
from mmmed.functional.intensity import convert_grey
from mmmed.functional.packed_bits import extract_packed_slice, get_packed_shape
from mmmed.functional.planes import count_slices, drop_plane_axis, extract_slice
from mmmed.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadVolumeSlice(BaseTransform):
    """Read a slice of every sequence, its neighbours, and the mask.

    Only the bytes of the slice are read, through memory maps that stay open in each
    worker. Slices are not turned: axial (Y, X), coronal (Z, X), sagittal (Z, Y), with
    Z to superior, Y to anterior and X to the right of the patient.

    Required keys: ``img_paths``, ``seg_map_path`` (None or absent: no mask),
    ``volume_shape``, ``plane``, ``slice_index``, ``neighbors``, ``seg_fields``,
    ``spacing``; with a cache also ``sha256`` and, for ``'auto'``, ``data_root``;
    ``foreground_pixels`` saves opening the mask where it is 0.

    Added keys: ``img`` (H, W, C), channels by sequence, then by neighbour, slices
    beyond the ends 0; ``gt_seg_map`` (H, W) uint8; ``ori_shape``, ``img_shape``,
    ``pad_shape``, ``img_padding_size``, ``scale_factor`` and ``img_spacing`` as
    ``mmmed.LoadSlice`` gives them.

    Modified keys: ``seg_fields`` lists ``gt_seg_map``.

    Args:
        dtype: Of ``img``: ``'uint8'``, which a 16-bit volume is rounded to, or
            ``'float32'``, which keeps its steps; both from 0 to 255.
        cache_dir: Folder for copies of the volumes in which sagittal slices are
            contiguous, as large as the volumes and only made for that plane, where
            they are ten times as fast; ``'auto'`` for ``.slice_cache`` in the
            prepared folder, None to do without.
        capacity: Volumes kept open in a worker.

    Raises:
        FileNotFoundError: A volume is absent.
        ValueError: A volume is damaged or not what the manifest says.
    """

    def __init__(
        self,
        dtype: str = 'uint8',
        cache_dir: str | None = None,
        capacity: int = 4096,
    ) -> None:
        if dtype not in ('uint8', 'float32'):
            raise ValueError(f"dtype is {dtype!r}, expected 'uint8' or 'float32'")
        self.dtype = np.dtype(dtype)
        self.cache_dir = cache_dir
        self._maps = VolumeMaps(capacity)
        self._turned: dict[str, TurnedVolumes] = {}

    def transform(self, results: dict) -> dict:
        """Add the arrays of one slice; the host calls this."""
        shape = drop_plane_axis(results['volume_shape'], results['plane'])
        results.update(
            img=self._read_img(results, shape),
            ori_shape=shape,
            img_shape=shape,
            pad_shape=shape,
            img_padding_size=(0, 0, 0, 0),
            scale_factor=(1.0, 1.0),
            img_spacing=list(results['spacing']),
        )
        if results.get('seg_map_path') is not None:
            results['gt_seg_map'] = self._read_seg(results, shape)
            results['seg_fields'] = [*results['seg_fields'], 'gt_seg_map']
        return results

    def _read_img(self, results: dict, shape: tuple[int, int]) -> np.ndarray:
        paths, neighbors = results['img_paths'], results['neighbors']
        whole = self.dtype == np.uint8
        limit = count_slices(results['volume_shape'], results['plane'])
        if len(paths) == len(neighbors) == 1 and neighbors[0] == 0:
            plane = self._read_plane(results, 0, results['slice_index'])
            return convert_grey(plane, whole=whole)[..., None]
        img = np.zeros((*shape, len(paths) * len(neighbors)), self.dtype)
        channel = 0
        for number in range(len(paths)):
            for offset in neighbors:
                index = results['slice_index'] + offset
                if 0 <= index < limit:
                    plane = self._read_plane(results, number, index)
                    img[..., channel] = convert_grey(plane, whole=whole)
                channel += 1
        return img

    def _read_plane(self, results: dict, number: int, index: int) -> np.ndarray:
        """One slice of one sequence, a view of its map."""
        path, shape = results['img_paths'][number], results['volume_shape']
        turned = self._find_turned(results)
        if turned is not None:
            volume = turned.open_img(path, shape, results['sha256']['img'][number])
            if volume is not None:
                return volume[index]
        return extract_slice(self._maps.open(path, shape), results['plane'], index)

    def _read_seg(self, results: dict, shape: tuple[int, int]) -> np.ndarray:
        if results.get('foreground_pixels') == 0:
            return np.zeros(shape, np.uint8)
        path, volume_shape = results['seg_map_path'], results['volume_shape']
        turned = self._find_turned(results)
        if turned is not None:
            packed = turned.open_seg(path, volume_shape, results['sha256']['seg'])
            if packed is not None:
                row = packed[results['slice_index']]
                return np.unpackbits(row, axis=-1, count=shape[1])
        packed = self._maps.open(path, get_packed_shape(volume_shape))
        return extract_packed_slice(
            packed, volume_shape, results['plane'], results['slice_index']
        ).view(np.uint8)

    def _find_turned(self, results: dict) -> TurnedVolumes | None:
        if self.cache_dir is None or results['plane'] != 'sagittal':
            return None
        folder = str(self.cache_dir)
        if folder == 'auto':
            folder = f'{results["data_root"]}/.slice_cache'
        if folder not in self._turned:
            self._turned[folder] = TurnedVolumes(folder, self._maps)
        return self._turned[folder]

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(dtype={self.dtype.name!r}, '
            f'cache_dir={self.cache_dir!r}, capacity={self._maps.capacity})'
        )
