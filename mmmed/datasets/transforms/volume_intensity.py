"""RandomIntensityVolume: contrast, gamma, noise, blur and coarse resolution.

Not here: the maths (``mmmed.functional.volume_intensity``), windows and z-scores
(``volume_scale``).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mmmed.datasets.transforms.base import (
    DrawnTransform,
    check_probs,
    check_range,
    draw_log_uniform,
    draw_steps,
    draw_uniform,
)
from mmmed.datasets.transforms.volume_pending import has_pending
from mmmed.functional.volume_intensity import (
    NOISE_BANK_SIZE,
    IntensityChange,
    change_intensity,
)
from mmmed.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomIntensityVolume(DrawnTransform):
    """Random changes of a volume on the network's scale, each with its own chance.

    In this order: resolution is lost, the Gaussian blurs, contrast changes about the
    mean of each channel, gamma bends its range, noise is added. While a warp is
    pending the change waits for it (``pending_intensity``) and the data preprocessor
    applies both.

    Required keys: ``img`` (C, Z, Y, X) float32, ``rng``.

    Modified keys: ``img``. Added keys: ``applied``; ``pending_intensity`` with a
    pending warp.

    Args:
        gain: Range of the factor on contrast, log-uniform.
        offset: Range of the shift, uniform, in standard deviations of the channel.
        gamma: Range of the exponent, log-uniform.
        noise_std: Range of the noise, uniform, in units of the image.
        blur: Range of the Gaussian's standard deviation, uniform, in voxels.
        zoom: Range of the factor to which resolution is lost, uniform, in (0, 1].
        gain_prob: Probability of gain and offset.
        gamma_prob: Probability of gamma; a quarter of it is on the inverted range.
        noise_prob: Probability of noise.
        blur_prob: Probability of blur.
        zoom_prob: Probability of coarse resolution.
        prob: Probability that any of it is applied.

    Raises:
        ValueError: A range is reversed or outside its limits.
    """

    def __init__(
        self,
        gain: Sequence[float] = (0.75, 1.33),
        offset: Sequence[float] = (-0.1, 0.1),
        gamma: Sequence[float] = (0.7, 1.5),
        noise_std: Sequence[float] = (0.0, 0.1),
        blur: Sequence[float] = (0.5, 1.0),
        zoom: Sequence[float] = (0.5, 1.0),
        gain_prob: float = 0.15,
        gamma_prob: float = 0.3,
        noise_prob: float = 0.1,
        blur_prob: float = 0.1,
        zoom_prob: float = 0.1,
        prob: float = 1.0,
    ) -> None:
        super().__init__(prob)
        self.gain = check_range('gain', gain, low=0.01, high=100)
        self.offset = check_range('offset', offset, low=-100, high=100)
        self.gamma = check_range('gamma', gamma, low=0.01, high=100)
        self.noise_std = check_range('noise_std', noise_std, low=0, high=1e6)
        self.blur = check_range('blur', blur, low=0, high=100)
        self.zoom = check_range('zoom', zoom, low=0.01, high=1)
        self.probs = check_probs(
            {
                'gain': gain_prob,
                'gamma': gamma_prob,
                'noise': noise_prob,
                'blur': blur_prob,
                'zoom': zoom_prob,
            }
        )

    def draw(self, results: dict, rng: np.random.Generator) -> dict[str, Any]:
        """Arguments of :class:`~mmmed.functional.volume_intensity.IntensityChange`."""
        is_on = draw_steps(rng, self.probs)
        gain = draw_log_uniform(rng, *self.gain)
        offset = draw_uniform(rng, *self.offset)
        gamma = draw_log_uniform(rng, *self.gamma)
        invert = bool(rng.random() < 0.25)
        noise = draw_uniform(rng, *self.noise_std)
        start = int(rng.integers(NOISE_BANK_SIZE))
        blur = draw_uniform(rng, *self.blur)
        zoom = draw_uniform(rng, *self.zoom)
        return {
            'zoom': [zoom if is_on['zoom'] else 1.0] * 3,
            'blur': [blur if is_on['blur'] else 0.0] * 3,
            'gain': gain if is_on['gain'] else 1.0,
            'offset': offset if is_on['gain'] else 0.0,
            'gamma': gamma if is_on['gamma'] else 1.0,
            'invert': invert,
            'noise_std': noise if is_on['noise'] else 0.0,
            'noise_at': start,
        }

    def apply(self, results: dict, params: dict[str, Any]) -> dict:
        """Change what is there, or leave it to the preprocessor."""
        change = IntensityChange(
            **{**params, 'zoom': tuple(params['zoom']), 'blur': tuple(params['blur'])}
        )
        if has_pending(results):
            results['pending_intensity'] = change
            return results
        if change.is_identity:
            return results
        img = torch.from_numpy(np.require(results['img'], requirements=['C', 'W']))
        results['img'] = change_intensity(img[None], [change])[0].numpy()
        return results
