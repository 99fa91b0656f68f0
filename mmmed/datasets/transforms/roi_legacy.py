"""LegacyROIAugment: the published augmentation of lesion crops, slice by slice.

Not here: the single steps (``mmmed.functional.stack_recipes``), our own augmentation
(``roi_sequences`` with volume transforms).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from torch import Tensor

from mmmed.functional.stack_recipes import (
    BASE_SIDE,
    SIDE,
    blur_stack,
    build_affine,
    crop_center,
    draw_base_side,
    draw_erased_box,
    draw_resized_box,
    find_homography,
    resize,
    resize_short_side,
    warp_stack,
)
from mmmed.registry import TRANSFORMS

RECIPES = ('easy_1', 'easy_2', 'easy_3', 'complex')
# Faces of a die.
_SHARES = (1 / 6, 1 / 6, 1 / 6, 1 / 2)
_UNKNOWN_MM = 25.0
_DISTORTION = 0.5


@TRANSFORMS.register_module()
class LegacyROIAugment(BaseTransform):
    """Published recipes on slices of 80 x 80 pixels; the preset ``legacy``.

    All slices of a sequence, and its box, move together. Training: a square of 2.5 to
    3.5 diameters, then one recipe of four. Evaluation: a square of two diameters,
    nothing drawn. A crop that is not square is padded in its middle, not replaced.

    ``mmmed.LoadROISequences(normalize=dict(default=dict(rule='minmax')))``,
    ``mmmed.SelectROISlices(5, is_random=True, is_joint=False)``,
    ``mmmed.AddROIBox('slice')`` and this are the published pipeline.

    Required keys: ``img`` (S, C, Z, Y, X), ``available``, ``img_spacing``,
    ``size_mm``; ``rng`` for training.

    Modified keys: ``img`` (S, C, Z, 80, 80), ``img_shape``. Added keys: ``applied``.

    Args:
        is_training: Draw a recipe.
        is_joint: One draw for all sequences. False, as published, turns each sequence
            another way, so that places no longer correspond.
        erase: What erased rectangles hold: ``'noise'`` (normal numbers, as published)
            or ``'zero'``.
        recipe: One of ``easy_1``, ``easy_2``, ``easy_3``, ``complex`` instead of a
            drawn one.

    Raises:
        ValueError: An option is unknown.

    Source:
        RRMediCa, the parameters as described, not its code. Differs: the generator is
        seeded, and nothing is made up for a missing sequence.
    """

    def __init__(
        self,
        is_training: bool = True,
        is_joint: bool = False,
        erase: str = 'noise',
        recipe: str | None = None,
    ) -> None:
        if erase not in ('noise', 'zero'):
            raise ValueError(f"erase is {erase!r}, expected 'noise' or 'zero'")
        if recipe is not None and recipe not in RECIPES:
            raise ValueError(f'recipe is {recipe!r}, expected one of {RECIPES}')
        self.is_training = is_training
        self.is_joint = is_joint
        self.erase = erase
        self.recipe = recipe

    def transform(self, results: dict) -> dict:
        """Transform one lesion; the host calls this."""
        img, kept = results['img'], results['available']
        count, channels, depth = img.shape[:3]
        whole = np.zeros((count, channels, depth, SIDE, SIDE), np.float32)
        size_mm = results['size_mm'] or _UNKNOWN_MM
        size_px = size_mm / results['img_spacing'][2]
        seed = None
        if self.is_training:
            seed = int(results['rng'].integers(2**63))
        records = []
        for order, index in enumerate(np.flatnonzero(kept).tolist()):
            stack = torch.from_numpy(np.ascontiguousarray(img[index]))
            stack = stack.reshape(-1, *stack.shape[2:])
            if seed is None:
                moved = evaluate_stack(stack, size_px)
            else:
                key = [seed] if self.is_joint else [seed, order]
                rng = np.random.default_rng(np.random.SeedSequence(key))
                moved, record = self._augment(stack, size_px, rng)
                name = results['sequences'][index]
                records.append(
                    {'type': type(self).__name__, 'sequence': name, **record}
                )
            whole[index] = moved.reshape(channels, depth, SIDE, SIDE).numpy()
        results['img'] = whole
        results['img_shape'] = whole.shape[2:]
        results['applied'] = [*results.get('applied', []), *records]
        return results

    def _augment(
        self, stack: Tensor, size_px: float, rng: np.random.Generator
    ) -> tuple[Tensor, Mapping[str, Any]]:
        chance, pick = rng.random(2)
        side = draw_base_side(size_px, float(chance), float(pick))
        if side is not None:
            stack = crop_center(stack, side)
        stack = resize_short_side(stack, BASE_SIDE)
        recipe = self.recipe or RECIPES[int(rng.choice(len(RECIPES), p=_SHARES))]
        if recipe == 'easy_3':
            stack = crop_center(stack, SIDE)
        else:
            top, left, rows, columns = draw_resized_box(rng, stack.shape[1:])
            box = stack[:, top : top + rows, left : left + columns]
            stack = resize(box, (SIDE, SIDE))
        for axis in (2, 1):
            if rng.random() < 0.5:
                stack = stack.flip(axis)
        if recipe == 'easy_1':
            stack = _tilt(stack, rng)
        elif recipe == 'easy_3':
            stack = blur_stack(stack, float(rng.uniform(0.1, 3.0)))
            if rng.random() < 0.5:
                stack = _turn(stack, rng, 10.0, is_nearest=True)
        else:
            stack = self._erase(stack, rng)
            if recipe == 'complex':
                stack = _turn(stack, rng, 90.0, is_nearest=True)
        return stack, {'recipe': recipe, 'side': side}

    def _erase(self, stack: Tensor, rng: np.random.Generator) -> Tensor:
        is_on = rng.random() < 0.5
        box = draw_erased_box(rng, stack.shape[1:])
        if not is_on or box is None:
            return stack
        top, left, rows, columns = box
        shape = (len(stack), rows, columns)
        stack = stack.clone()
        fill = np.zeros(shape, np.float32)
        if self.erase == 'noise':
            fill = rng.standard_normal(shape, dtype=np.float32)
        part = torch.from_numpy(fill)
        stack[:, top : top + rows, left : left + columns] = part
        return stack

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(is_training={self.is_training}, '
            f'is_joint={self.is_joint}, erase={self.erase!r}, recipe={self.recipe!r})'
        )


def evaluate_stack(stack: Tensor, size_px: float) -> Tensor:
    """A lesion as it is looked at in evaluation: two diameters on 80 x 80 pixels.

    Args:
        stack: Shape (K, Y, X).
        size_px: Diameter of the lesion in pixels; above 40 the whole crop is taken.
    """
    if size_px <= 40:
        return resize(crop_center(stack, int(2 * max(size_px, 20.0))), (SIDE, SIDE))
    return crop_center(resize_short_side(stack, SIDE), SIDE)


def _tilt(stack: Tensor, rng: np.random.Generator) -> Tensor:
    """Perspective: every corner moves up to a quarter of the side inwards."""
    is_on = rng.random() < 0.5
    rows, columns = stack.shape[1:]
    corners = np.array(
        [[0, 0], [columns - 1, 0], [columns - 1, rows - 1], [0, rows - 1]], float
    )
    inwards = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    steps = rng.random((4, 2)) * np.array([columns, rows]) * _DISTORTION / 2
    if not is_on:
        return stack
    moved = corners + inwards * steps
    return warp_stack(stack, find_homography(moved, corners))


def _turn(
    stack: Tensor, rng: np.random.Generator, most_deg: float, *, is_nearest: bool
) -> Tensor:
    angle = float(rng.uniform(-most_deg, most_deg))
    size = stack.shape[1:]
    shift = [float(rng.uniform(-0.2, 0.2)) * n for n in size]
    return warp_stack(stack, build_affine(angle, shift, size), is_nearest=is_nearest)
