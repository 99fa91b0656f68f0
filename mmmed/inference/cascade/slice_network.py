"""SliceNetwork: slices to foreground probabilities, in batches, on any device.

Not here: which part of a slice it looks at (``cord_stage``), resampling.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mmmed.functional.probabilities import activate_logits
from mmmed.inference.cascade.weights import LoadedSegmenter
from mmmed.inference.faster_network import FOLD
from mmmed.inference.networks import compute_logits
from mmmed.registry import MODELS


class SliceNetwork:
    """A segmentor around which everything is done that its training did.

    Args:
        segmenter: As loaded; its model is copied, not changed.
        batch_size: Slices at a time.
        use_autocast: Whether CUDA devices compute in half precision.
        is_folded: Whether the copy is rewritten for speed.

    Raises:
        ValueError: The model reverses channels, or gives more than two.
    """

    def __init__(
        self,
        segmenter: LoadedSegmenter,
        *,
        batch_size: int = 8,
        use_autocast: bool = False,
        is_folded: bool = True,
    ) -> None:
        model = segmenter.model
        self.device = next(model.parameters()).device
        self.mean, self.std = _read_scale(getattr(model, 'data_preprocessor', None))
        if is_folded:
            model = MODELS.build({'type': FOLD, 'model': model})
        self.model: nn.Module = model.eval()
        self.batch_size = batch_size
        self.divisor = segmenter.description.size_divisor
        self.use_autocast = use_autocast and self.device.type == 'cuda'

    @torch.inference_mode()
    def __call__(self, img: NDArray) -> NDArray[np.float32]:
        """Foreground probabilities.

        Args:
            img: Shape (N, H, W), float32 from 0 to 255; any H and W, padded at their
                ends with 0.

        Returns:
            Same shape, 0 to 1: one sigmoid, or the second channel of a softmax.
        """
        prob = np.empty(img.shape, np.float32)
        for start in range(0, len(img), self.batch_size):
            part = slice(start, start + self.batch_size)
            prob[part] = self._predict(np.ascontiguousarray(img[part]))
        return prob

    def _predict(self, img: NDArray) -> NDArray[np.float32]:
        height, width = img.shape[1:]
        inputs = torch.from_numpy(img)[:, None].to(self.device)
        inputs = (inputs - self.mean) / self.std
        # Of a background of 0, as the margins of training images are.
        margins = (0, -width % self.divisor, 0, -height % self.divisor)
        inputs = nn.functional.pad(inputs, margins, value=-self.mean / self.std)
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.float16, self.use_autocast):
            logits = compute_logits(self.model, inputs)[..., :height, :width]
        if logits.shape[1] > 2:
            raise ValueError(
                f'the network gives {logits.shape[1]} classes, expected foreground '
                'and background'
            )
        prob: Any = activate_logits(logits.float())[:, -1].cpu().numpy()
        return prob


def _read_scale(preprocessor: Any) -> tuple[float, float]:
    """Mean and deviation that greys are normalised with; none without a preprocessor.

    Raises:
        ValueError: Channels are reversed, or there are several.
    """
    if getattr(preprocessor, 'channel_conversion', False):
        raise ValueError('data_preprocessor reverses channels; set bgr_to_rgb=False')
    if getattr(preprocessor, 'mean', None) is None:
        return 0.0, 1.0
    mean, std = preprocessor.mean.flatten(), preprocessor.std.flatten()
    if len(mean) != 1 or len(std) != 1 or not float(std[0]) > 0:
        raise ValueError(
            f'data_preprocessor has mean {mean.tolist()} and std {std.tolist()}, '
            'expected one number each, std > 0'
        )
    return float(mean[0]), float(std[0])
