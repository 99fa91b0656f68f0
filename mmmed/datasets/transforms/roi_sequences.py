"""Volume transforms on several sequences: one draw for all, or one for each.

Not here: the transforms themselves (``volume_spatial``, ``volume_intensity``,
``mr_artifacts``).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmmed.registry import TRANSFORMS


class _Wrapper(BaseTransform):
    """Transforms that are built from dictionaries, run on a part of a sample."""

    def __init__(self, transforms: Sequence[dict | BaseTransform]) -> None:
        if not transforms:
            raise ValueError('transforms is empty, expected one or more')
        self.transforms = [
            TRANSFORMS.build(t) if isinstance(t, dict) else t for t in transforms
        ]

    def _run(self, results: dict, img: np.ndarray) -> tuple[np.ndarray, list]:
        """Volume (C, Z, Y, X) through the transforms, and what was applied."""
        part: dict[str, Any] = {
            key: results[key]
            for key in ('rng', 'img_spacing', 'case_id', 'available')
            if key in results
        }
        part |= {'img': img, 'seg_fields': []}
        for transform in self.transforms:
            part = transform(part)
        return part['img'], part.get('applied', [])

    def __repr__(self) -> str:
        return f'{type(self).__name__}(transforms={self.transforms})'


@TRANSFORMS.register_module()
class JointSequences(_Wrapper):
    """Volume transforms with one draw for all sequences and channels.

    What is at one place stays at one place in every sequence; a warp costs one grid.
    Missing sequences stay 0 and cost nothing.

    Required keys: ``img`` (S, C, Z, Y, X), ``available``, ``img_spacing``, ``rng``.

    Modified keys: ``img``, ``img_shape``. Added keys: ``applied``.

    Args:
        transforms: Geometry, such as ``dict(type='mmmed.RandomAffineVolume')``; they
            see (channels of all sequences, Z, Y, X).

    Raises:
        ValueError: There are none.
    """

    def transform(self, results: dict) -> dict:
        """Transform one sample; the host calls this."""
        img, kept = results['img'], results['available']
        if not kept.any():
            return results
        stack = img if kept.all() else img[kept]
        moved, applied = self._run(results, stack.reshape(-1, *stack.shape[2:]))
        if moved.shape[1:] == img.shape[2:] and kept.all():
            results['img'] = moved.reshape(img.shape)
        else:
            whole = np.zeros((*img.shape[:2], *moved.shape[1:]), np.float32)
            whole[kept] = moved.reshape(*stack.shape[:2], *moved.shape[1:])
            results['img'] = whole
        results['img_shape'] = results['img'].shape[2:]
        results['applied'] = [*results.get('applied', []), *applied]
        return results


@TRANSFORMS.register_module()
class EachSequence(_Wrapper):
    """Volume transforms with a draw of its own for every sequence that there is.

    Required keys: ``img`` (S, C, Z, Y, X), ``available``, ``sequences``,
    ``img_spacing``, ``rng``.

    Modified keys: ``img``. Added keys: ``applied``, with the name of the ``sequence``.

    Args:
        transforms: Changes of intensity that keep the shape, such as
            ``dict(type='mmmed.RandomIntensityVolume')``; they see the first channel,
            (1, Z, Y, X), so that a box stays a box.

    Raises:
        ValueError: There are none, or one changes the shape.
    """

    def transform(self, results: dict) -> dict:
        """Transform one sample; the host calls this."""
        given = results['img']
        # Transforms never write into what they are given, and mirrored arrays become
        # contiguous here: one copy serves both.
        img = np.empty(given.shape, given.dtype)
        records = list(results.get('applied', []))
        for index, is_there in enumerate(results['available'].tolist()):
            img[index, is_there:] = given[index, is_there:]
            if not is_there:
                continue
            part, applied = self._run(results, given[index, :1])
            if part.shape != given[index, :1].shape:
                raise ValueError(
                    f'{type(self).__name__} has changed {given[index, :1].shape} to '
                    f'{part.shape}; put geometry into mmmed.JointSequences'
                )
            img[index, :1] = part
            name = results['sequences'][index]
            records += [{**record, 'sequence': name} for record in applied]
        results['img'] = img
        results['applied'] = records
        return results
