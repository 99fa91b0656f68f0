"""FitSlice: slices to a pixel size in mm and a fixed size, never out of proportion.

Not here: the geometry itself (``mmmed.functional.slice_fit``), random crops.
"""

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from mmmed.functional.slice_fit import SliceFit
from mmmed.registry import TRANSFORMS


@TRANSFORMS.register_module()
class FitSlice(BaseTransform):
    """Resample a slice to square pixels, then pad or cut it to a size.

    With ``pixel_mm`` a slice of anisotropic pixels gets square ones, and what is
    larger than ``size`` is cut about its middle; without, the slice is letterboxed
    into ``size``. The image is shrunk by area mean and enlarged bilinearly, with
    margins of 0. With ``resize_seg`` the label map follows, by the nearest pixel, with
    margins of 255 (ignored); without, it stays on the grid of the file, which is where
    predictions are compared.

    Required keys: ``img`` (H, W, C) uint8 or float32, ``seg_fields``; with
    ``pixel_mm`` also ``img_spacing`` or ``spacing``.

    Modified keys: ``img``; the maps named in ``seg_fields``, or, without
    ``resize_seg``, ``seg_fields``, which becomes empty; ``img_shape``, ``pad_shape``
    as (Y, X); ``img_padding_size`` as left, right, top, bottom, negative where pixels
    were cut; ``scale_factor`` as (width, height) like the host's; ``img_spacing`` in
    mm or None.

    Added keys: ``ori_shape``, where it is absent.

    Args:
        size: Shape (Y, X) in the end; None to keep that after scaling.
        pixel_mm: Pixel size in mm after scaling; None to fit by pixels.
        resize_seg: Whether label maps follow the image; False in test pipelines.

    Raises:
        ValueError: An argument is out of range, the slice has no spacing or another
            type, or it has margins already.
    """

    def __init__(
        self,
        size: Sequence[int] | None = None,
        pixel_mm: float | None = None,
        resize_seg: bool = True,
    ) -> None:
        if size is not None and (len(size) != 2 or min(size) < 1):
            raise ValueError(f'size is {size}, expected (Y, X) in pixels, or None')
        if pixel_mm is not None and not 0 < pixel_mm < np.inf:
            raise ValueError(f'pixel_mm is {pixel_mm}, expected mm > 0, or None')
        self.size = None if size is None else (int(size[0]), int(size[1]))
        self.pixel_mm = pixel_mm
        self.resize_seg = resize_seg

    def transform(self, results: dict) -> dict:
        """Fit one slice; the host calls this."""
        img = results['img']
        _check(results)
        spacing = results.get('img_spacing') or results.get('spacing')
        fit = SliceFit.fit(
            img.shape[:2], self.size, spacing=spacing, pixel_mm=self.pixel_mm
        )
        results['img'] = fit.apply_to_img(img)
        for name in results['seg_fields'] if self.resize_seg else ():
            results[name] = fit.apply_to_seg(results[name])
        if not self.resize_seg:
            results['seg_fields'] = []
        before = results.get('scale_factor', (1.0, 1.0))
        results.setdefault('ori_shape', fit.source)
        results.update(
            img_shape=fit.outer,
            pad_shape=fit.outer,
            img_padding_size=fit.margins,
            scale_factor=(before[0] * fit.scale[1], before[1] * fit.scale[0]),
            img_spacing=None
            if spacing is None
            else [mm / s for mm, s in zip(spacing, fit.scale, strict=True)],
        )
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(size={self.size}, pixel_mm={self.pixel_mm}, '
            f'resize_seg={self.resize_seg})'
        )


def _check(results: dict) -> None:
    img, case = results['img'], results.get('case_id')
    if img.ndim != 3 or img.dtype not in (np.uint8, np.float32):
        raise ValueError(
            f'{case}: img is {img.dtype} of shape {img.shape}, expected uint8 or '
            'float32 (H, W, C)'
        )
    # Scaling after padding cannot be told by the keys that the host turns back by.
    if any(results.get('img_padding_size', ())):
        raise ValueError(
            f'{case}: the slice has margins {results["img_padding_size"]} already; '
            'put mmmed.FitSlice right after loading, once'
        )
