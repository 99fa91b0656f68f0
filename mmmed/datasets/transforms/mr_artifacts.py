"""RandomMRArtifact: coils, ghosts, motion and noise of an MR scanner.

Not here: the maths (``mmmed.functional.mr_artifacts``), contrast and blur
(``volume_intensity``).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mmmed.datasets.transforms.base import (
    DrawnTransform,
    check_probs,
    check_range,
    draw_steps,
    draw_uniform,
)
from mmmed.functional.mr_artifacts import MRArtifacts, apply_artifacts
from mmmed.functional.volume_intensity import (
    NOISE_BANK_SIZE,
    IntensityChange,
    change_intensity,
)
from mmmed.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomMRArtifact(DrawnTransform):
    """Artefacts of MR, each with its own chance; within ``mmmed.EachSequence``.

    Required keys: ``img`` (C, Z, Y, X) float32, ``rng``.

    Modified keys: ``img``. Added keys: ``applied``.

    Args:
        bias: Range of the standard deviation of the coil's logarithmic sensitivity.
        ghosts: Range of the number of ghosts.
        ghost_strength: Range of their share of the signal.
        shift: Range of the motion in voxels, either way.
        moved_share: Range of the share of k-space that saw it.
        noise_std: Range of the noise in units of the image.
        bias_prob: Probability of an uneven coil.
        ghost_prob: Probability of ghosts.
        motion_prob: Probability of motion.
        noise_prob: Probability of noise.
        prob: Probability that any is applied.

    Raises:
        ValueError: A range is reversed or outside its limits.
    """

    def __init__(
        self,
        bias: Sequence[float] = (0.05, 0.25),
        ghosts: Sequence[int] = (2, 6),
        ghost_strength: Sequence[float] = (0.1, 0.5),
        shift: Sequence[float] = (0.5, 3.0),
        moved_share: Sequence[float] = (0.2, 0.7),
        noise_std: Sequence[float] = (0.0, 0.15),
        bias_prob: float = 0.3,
        ghost_prob: float = 0.1,
        motion_prob: float = 0.1,
        noise_prob: float = 0.2,
        prob: float = 1.0,
    ) -> None:
        super().__init__(prob)
        self.bias = check_range('bias', bias, low=0, high=2)
        self.ghosts = check_range('ghosts', ghosts, low=2, high=64)
        self.ghost_strength = check_range(
            'ghost_strength', ghost_strength, low=0, high=1
        )
        self.shift = check_range('shift', shift, low=0, high=100)
        self.moved_share = check_range('moved_share', moved_share, low=0, high=1)
        self.noise_std = check_range('noise_std', noise_std, low=0, high=1e6)
        self.probs = check_probs(
            {
                'bias': bias_prob,
                'ghost': ghost_prob,
                'motion': motion_prob,
                'noise': noise_prob,
            }
        )

    def draw(self, results: dict, rng: np.random.Generator) -> dict[str, Any]:
        """Arguments of ``MRArtifacts``, and the noise."""
        is_on = draw_steps(rng, self.probs)
        std = draw_uniform(rng, *self.bias)
        knots = rng.standard_normal(27)
        ghosts = int(rng.integers(int(self.ghosts[0]), int(self.ghosts[1]) + 1))
        strength = draw_uniform(rng, *self.ghost_strength)
        shift = draw_uniform(rng, *self.shift) * (1 if rng.random() < 0.5 else -1)
        moved = draw_uniform(rng, *self.moved_share)
        axis = int(rng.integers(1, 3))
        noise = draw_uniform(rng, *self.noise_std)
        start = int(rng.integers(NOISE_BANK_SIZE))
        return {
            'bias': (std * knots).tolist() if is_on['bias'] else [],
            'ghosts': ghosts if is_on['ghost'] else 0,
            'ghost_strength': strength,
            'shift': shift if is_on['motion'] else 0.0,
            'moved_share': moved,
            'axis': axis,
            'noise_std': noise if is_on['noise'] else 0.0,
            'noise_at': start,
        }

    def apply(self, results: dict, params: dict[str, Any]) -> dict:
        """Put the artefacts into the image."""
        rest = dict(params)
        noise = {name: rest.pop(name) for name in ('noise_std', 'noise_at')}
        artifacts = MRArtifacts(**{**rest, 'bias': tuple(rest['bias'])})
        img = torch.from_numpy(np.require(results['img'], requirements=['C', 'W']))
        img = apply_artifacts(img, artifacts)
        if noise['noise_std'] > 0:
            img = change_intensity(img[None], [IntensityChange(**noise)])[0]
        results['img'] = img.numpy()
        return results
