"""Encoder-decoder whose predictions are right for one-channel and K-channel models."""

from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.structures import PixelData
from mmseg.models.segmentors import EncoderDecoder
from mmseg.models.utils import resize
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmmed.functional.probabilities import activate_logits, assign_labels
from mmmed.functional.slice_fit import remove_margins
from mmmed.functional.sliding_window import predict_by_windows
from mmmed.functional.tiling import compute_gaussian_weights
from mmmed.registry import MODELS

_TEST_DEFAULTS = {
    'mode': 'whole',
    'size_divisor': 1,
    'crop_size': None,
    'stride': None,
    'window_weight': 'gaussian',
    'window_batch': 4,
    'keep_probabilities': False,
}


@MODELS.register_module()
class MedEncoderDecoder(EncoderDecoder):
    """The host's encoder-decoder with its own inference.

    Input: images (N, C, Y, X), normalised. Each prediction is a ``SegDataSample`` with

    - ``pred_sem_seg``: labels, (1, Y, X), int64;
    - ``seg_logits``: raw logits, (K, Y, X), float32, also for K = 1 (where the host
      stores probabilities under this name);
    - ``seg_probs``: probabilities, (K, Y, X), if ``keep_probabilities``;

    on the grid of ``ori_shape``: margins in ``img_padding_size`` (left, right, top,
    bottom, of the image as it was fed) are cut away, and where they are negative
    (``mmmed.FitSlice`` cut the image) background is put back; then the flip is undone,
    then the logits are resized bilinearly.

    Args:
        test_cfg: How to infer. ``mode``: ``'whole'`` or ``'slide'``. ``size_divisor``
            (whole): images are padded to a multiple of it and the result is cut.
            ``crop_size``, ``stride`` (slide): size and largest distance of windows per
            axis, (Y, X); the stride defaults to half the window. ``window_weight``
            (slide): ``'gaussian'`` or ``'constant'``. ``window_batch`` (slide): most
            windows in the network at a time. ``keep_probabilities``.
        **kwargs: See :class:`mmseg.models.segmentors.EncoderDecoder`. The
            preprocessor's own ``test_cfg`` must stay unset: its padding would
            overwrite the margins that the pipeline recorded.

    Raises:
        ValueError: ``test_cfg`` has an unknown key or an impossible value, or the
            preprocessor has a ``test_cfg``.
    """

    def __init__(self, *, test_cfg: dict | None = None, **kwargs: Any) -> None:
        super().__init__(test_cfg=_complete_test_cfg(test_cfg or {}), **kwargs)
        if getattr(self.data_preprocessor, 'test_cfg', None):
            raise ValueError(
                'data_preprocessor.test_cfg pads test images and forgets the margins '
                'recorded by the pipeline; remove it and set '
                'model.test_cfg.size_divisor instead'
            )

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Logits on the grid of the inputs, shape (N, K, Y, X)."""
        # The host's heads look for the size in the metadata of the first image, which
        # describe neither a window nor an image padded here.
        size = inputs.shape[2:]
        metas = [{**m, 'img_shape': size, 'pad_shape': size} for m in batch_img_metas]
        return super().encode_decode(inputs, metas)

    def inference(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Logits on the grid of the inputs, by the mode of ``test_cfg``."""
        if self.test_cfg.mode == 'slide':
            return self.slide_inference(inputs, batch_img_metas)
        return self.whole_inference(inputs, batch_img_metas)

    def whole_inference(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Logits of whole images, padded to ``size_divisor`` on the way."""
        height, width = inputs.shape[2:]
        divisor = self.test_cfg.size_divisor
        padding = (0, -width % divisor, 0, -height % divisor)
        if any(padding):
            inputs = nn.functional.pad(inputs, padding, value=self._pad_value)
        return self.encode_decode(inputs, batch_img_metas)[..., :height, :width]

    def slide_inference(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Logits blended from overlapping windows, a few windows at a time."""
        cfg = self.test_cfg
        weights = None
        if cfg.window_weight == 'gaussian':
            weights = torch.from_numpy(compute_gaussian_weights(cfg.crop_size))
        return predict_by_windows(
            inputs,
            lambda windows, images: self.encode_decode(
                windows, [batch_img_metas[i] for i in images]
            ),
            window=cfg.crop_size,
            stride=cfg.stride,
            window_weights=weights,
            window_batch=cfg.window_batch,
            pad_value=self._pad_value,
        )

    def postprocess_result(
        self, seg_logits: Tensor, data_samples: list | None = None
    ) -> list:
        """Put each image's logits on its original grid and label them.

        Args:
            seg_logits: Shape (N, K, Y, X).
            data_samples: Samples with the metadata of the pipeline, or None to stay on
                the grid of the logits.

        Returns:
            The samples with predictions added; new ones if there were none.
        """
        if data_samples is None:
            data_samples = [SegDataSample() for _ in seg_logits]
        for logits, sample in zip(seg_logits.float(), data_samples, strict=True):
            self.store_logits(self._restore(logits[None], sample.metainfo), sample)
        return data_samples

    def store_logits(self, logits: Tensor, sample: SegDataSample) -> None:
        """Add logits, labels and (if configured) probabilities to a sample.

        Args:
            logits: Shape (1, K, Y, X), on the original grid.
            sample: Changed in place.
        """
        prob = activate_logits(logits)
        # None: a host head of K channels has no threshold.
        threshold = getattr(self.decode_head, 'threshold', None) or 0.5
        labels = assign_labels(prob, threshold=threshold)
        fields = {
            'seg_logits': PixelData(data=logits[0]),
            'pred_sem_seg': PixelData(data=labels[0]),
        }
        if self.test_cfg.keep_probabilities:
            fields['seg_probs'] = PixelData(data=prob[0])
        sample.set_data(fields)

    def _restore(self, logits: Tensor, meta: dict) -> Tensor:
        """Logits (1, K, Y, X) of a fed image on its original grid."""
        left, right, top, bottom = meta.get(
            'img_padding_size', meta.get('padding_size', (0, 0, 0, 0))
        )
        logits = remove_margins(logits, (left, right, top, bottom))
        if meta.get('flip'):
            logits = logits.flip(_find_flipped_axes(meta.get('flip_direction')))
        size = tuple(meta.get('ori_shape', logits.shape[2:]))[:2]
        if tuple(logits.shape[2:]) == size:
            return logits
        return resize(
            logits,
            size=size,
            mode='bilinear',
            align_corners=self.align_corners,
            warning=False,
        )

    @property
    def _pad_value(self) -> float:
        # After normalisation, as the preprocessor pads training images.
        return float(getattr(self.data_preprocessor, 'pad_val', 0.0))


def _complete_test_cfg(given: dict) -> ConfigDict:
    unknown = sorted(set(given) - set(_TEST_DEFAULTS))
    if unknown:
        raise ValueError(f'test_cfg knows {sorted(_TEST_DEFAULTS)}, got {unknown}')
    cfg = ConfigDict({**_TEST_DEFAULTS, **given})
    if cfg.mode not in ('whole', 'slide'):
        raise ValueError(f"test_cfg.mode must be 'whole' or 'slide', got {cfg.mode!r}")
    if cfg.window_weight not in ('gaussian', 'constant'):
        raise ValueError(
            f"test_cfg.window_weight must be 'gaussian' or 'constant', got "
            f'{cfg.window_weight!r}'
        )
    if cfg.size_divisor < 1 or cfg.window_batch < 1:
        raise ValueError(
            f'test_cfg.size_divisor and window_batch must be >= 1, got '
            f'{cfg.size_divisor} and {cfg.window_batch}'
        )
    if cfg.mode == 'slide':
        if cfg.crop_size is None:
            raise ValueError("test_cfg.mode='slide' needs crop_size=(Y, X)")
        cfg.crop_size = tuple(cfg.crop_size)
        cfg.stride = tuple(cfg.stride or (max(1, n // 2) for n in cfg.crop_size))
        if not all(1 <= s <= n for s, n in zip(cfg.stride, cfg.crop_size, strict=True)):
            raise ValueError(
                f'test_cfg.stride must lie in 1..crop_size, got {cfg.stride} for '
                f'{cfg.crop_size}; larger strides would leave gaps'
            )
    return cfg


def _find_flipped_axes(direction: str | None) -> tuple[int, ...]:
    axes = {'horizontal': (3,), 'vertical': (2,), 'diagonal': (2, 3)}
    if direction not in axes:
        raise ValueError(
            f'flip_direction must be one of {sorted(axes)} where flip is true, got '
            f'{direction!r}; keep both keys when packing'
        )
    return axes[direction]
