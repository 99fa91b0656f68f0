"""LoadSlice: files of one case to arrays at the network's size.

Not here: random transforms; the geometry itself (``functional.letterbox``), the
store of decoded slices (``slice_cache``).
"""

import hashlib
from collections.abc import Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmmed.datasets.transforms.slice_cache import DecodedSlice, SliceCache
from mmmed.files import hash_file
from mmmed.functional.letterbox import Letterbox
from mmmed.io.png import read_image, read_label
from mmmed.registry import TRANSFORMS

# Raise when the arrays that LoadSlice makes from the same files change.
_FORMAT = 1


@TRANSFORMS.register_module()
class LoadSlice(BaseTransform):
    """Read image and label map, fit both to a size, keep the result on disk.

    The image is shrunk by area mean or enlarged bilinearly, its proportions kept, and
    centred on black (0). With ``resize_seg`` the label map follows, by the nearest
    pixel, centred on 255 (ignored); without, it stays as in the file, which is where
    predictions are compared.

    Required keys: ``img_path``, ``seg_map_path`` (None or absent: no label map),
    ``channels`` (absent: as in the file), ``seg_fields``, ``spacing``; with a cache
    also ``sha256`` and, for ``'auto'``, ``data_root``.

    Added keys: ``img`` (H, W, C) uint8; ``gt_seg_map`` (Y, X) uint8; ``ori_shape``,
    ``img_shape``, ``pad_shape`` as (Y, X); ``img_padding_size`` as left, right, top,
    bottom; ``scale_factor`` as (width, height) like the host's; ``img_spacing``, the
    pixel size of ``img`` in mm or None (``spacing`` stays that of the file).

    Modified keys: ``seg_fields`` lists ``gt_seg_map`` if it lies on the grid of the
    image, so that spatial transforms move it along.

    Args:
        size: Shape (Y, X) of ``img``; None to keep that of the file.
        resize_seg: Whether the label map follows the image; False in test pipelines.
        cache_dir: Folder for decoded slices; ``'auto'`` for ``.slice_cache`` in the
            prepared folder, None to decode every time. Entries are found by the
            content hashes of the manifest, so an outdated one is never used. A case
            takes little more than H * W * C bytes: 2501 slices at 512 x 512 are
            0.7 GB.

    Raises:
        FileNotFoundError: An image file is absent.
        ValueError: A file is damaged or not 8-bit, image and label map differ in
            shape, the channels cannot be had from the file, or (when a cache entry
            is made) a file is not the one that the manifest was written for.
    """

    def __init__(
        self,
        size: tuple[int, int] | None = (512, 512),
        resize_seg: bool = True,
        cache_dir: str | None = None,
    ) -> None:
        if size is not None and (len(size) != 2 or min(size) < 1):
            raise ValueError(f'size is {size}, expected (Y, X) in pixels, or None')
        self.size = None if size is None else (int(size[0]), int(size[1]))
        self.resize_seg = resize_seg
        self.cache_dir = cache_dir
        self._caches: dict[str, SliceCache] = {}

    def transform(self, results: dict) -> dict:
        """Add the arrays of one case; the host calls this."""
        decoded = self._load(results)
        shape = decoded.img.shape[:2]
        left, right, top, bottom = decoded.padding
        scale = (
            (shape[0] - top - bottom) / decoded.ori_shape[0],
            (shape[1] - left - right) / decoded.ori_shape[1],
        )
        spacing = results.get('spacing')
        results.update(
            img=decoded.img,
            ori_shape=decoded.ori_shape,
            img_shape=shape,
            pad_shape=shape,
            img_padding_size=decoded.padding,
            scale_factor=(scale[1], scale[0]),
            img_spacing=_divide(spacing, scale),
        )
        if decoded.seg is not None:
            results['gt_seg_map'] = decoded.seg
            if self.resize_seg:
                results['seg_fields'] = [*results['seg_fields'], 'gt_seg_map']
        return results

    def _load(self, results: dict) -> DecodedSlice:
        if self.cache_dir is None:
            return self._decode(results)
        cache = self._find_cache(results)
        key = self._make_key(results)
        decoded = cache.read(key)
        if decoded is None:
            _check_hashes(results)
            decoded = self._decode(results)
            cache.write(key, decoded)
        return decoded

    def _decode(self, results: dict) -> DecodedSlice:
        path = results['img_path']
        img = _to_channels(read_image(path), results.get('channels'), path)
        seg_path = results.get('seg_map_path')
        seg = None if seg_path is None else read_label(seg_path)
        if seg is not None and (seg.shape != img.shape[:2] or seg.dtype != np.uint8):
            raise ValueError(
                f'{seg_path}: label map {seg.dtype} of shape {seg.shape} for an image '
                f'of shape {img.shape[:2]}, expected uint8 of the same shape; prepare '
                'the data again'
            )
        ori_shape = img.shape[:2]
        box = Letterbox.fit(ori_shape, self.size or ori_shape)
        if seg is not None and self.resize_seg:
            seg = box.apply_to_seg(seg)
        return DecodedSlice(box.apply_to_img(img), seg, ori_shape, box.padding)

    def _find_cache(self, results: dict) -> SliceCache:
        folder = str(self.cache_dir)
        if folder == 'auto':
            if 'data_root' not in results:
                raise ValueError(
                    "cache_dir='auto' needs results['data_root'], got none; use "
                    'mmmed.MedSegDataset or give a folder'
                )
            folder = f'{results["data_root"]}/.slice_cache'
        if folder not in self._caches:
            self._caches[folder] = SliceCache(folder)
        return self._caches[folder]

    def _make_key(self, results: dict) -> str:
        hashes = results.get('sha256')
        if not hashes:
            raise ValueError(
                f"cache_dir needs results['sha256'], got none for "
                f'{results["img_path"]}; use mmmed.MedSegDataset or set it to None'
            )
        has_seg = results.get('seg_map_path') is not None
        # Resampling may change with OpenCV; an entry never outlives its version.
        facts = (
            _FORMAT,
            hashes['img'],
            hashes['seg'] if has_seg else None,
            results.get('channels'),
            self.size,
            self.resize_seg,
            cv2.__version__,
        )
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:40]

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(size={self.size}, resize_seg={self.resize_seg}, '
            f'cache_dir={self.cache_dir!r})'
        )


def _divide(
    spacing: Sequence[float] | None, scale: tuple[float, float]
) -> list[float] | None:
    """Pixel size in mm after scaling; None if unknown."""
    if spacing is None:
        return None
    return [mm / factor for mm, factor in zip(spacing, scale, strict=True)]


def _check_hashes(results: dict) -> None:
    """Refuse to store under a hash what does not have it."""
    for name, key in (('img', 'img_path'), ('seg', 'seg_map_path')):
        path = results.get(key)
        if path is not None and hash_file(path) != results['sha256'][name]:
            raise ValueError(
                f'{path}: content differs from the manifest; prepare the data again'
            )


def _to_channels(img: np.ndarray, channels: int | None, path: str) -> np.ndarray:
    """Image (H, W) or (H, W, 3) as (H, W, channels); a grey one is repeated.

    Two channels are stored as RGB with an empty blue.
    """
    if img.dtype != np.uint8:
        raise ValueError(f'{path}: {img.dtype}, expected 8 bits; window it first')
    if img.ndim == 2:
        img = img[..., None]
    have = img.shape[2]
    want = have if channels is None else channels
    if want == have:
        return img
    if have == 1:
        return np.repeat(img, want, axis=2)
    if want == 2 and not img[..., 2].any():
        return np.ascontiguousarray(img[..., :2])
    raise ValueError(
        f'{path}: {have} channels stored, {want} expected; two channels are stored as '
        'RGB with blue 0; prepare the data again or correct metainfo.channels'
    )
