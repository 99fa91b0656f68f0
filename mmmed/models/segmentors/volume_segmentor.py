"""VolumeSegmentor: a 3-D network that trains and tests inside the host's loops."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.model import BaseModel
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmmed.functional.probabilities import activate_logits
from mmmed.functional.sliding_window import predict_by_windows
from mmmed.functional.tiling import compute_gaussian_weights
from mmmed.registry import MODELS
from mmmed.structures.voxel_data import VoxelData

_TEST_DEFAULTS = {
    'mode': 'slide',
    'crop_size': None,
    'stride': None,
    'window_weight': 'gaussian',
    'window_batch': 1,
    'flips': (),
    'keep_probabilities': False,
}
_AXES = (-3, -2, -1)


@MODELS.register_module()
class VolumeSegmentor(BaseModel):
    """Segmentation of volumes with a complete network.

    Input: volumes (N, C, Z, Y, X) on the network's scale. Each prediction is a
    ``SegDataSample`` with ``pred_sem_seg`` of shape (1, Z, Y, X), uint8, and, if
    ``keep_probabilities``, ``seg_probs`` of shape (K, Z, Y, X), on the grid of
    ``ori_shape``: padding is cut away, and probabilities of resampled volumes are
    interpolated back.

    Windows, mirrored views and folds are all averaged as probabilities, as
    ``mmmed.inference`` does.

    Args:
        network: Maps (N, C, Z, Y, X) to logits (N, K, Z, Y, X), or, with deep
            supervision and while it trains, to a list of them, the finest first.
        decode_head: See :class:`mmmed.models.decode_heads.VolumeHead`.
        data_preprocessor: See :class:`mmmed.models.data_preprocessors.\
VolumeDataPreprocessor`, which is the default.
        train_cfg: Nothing; as in the host.
        test_cfg: How to predict. ``crop_size``, ``stride``: size and largest distance
            of windows, (Z, Y, X); the stride defaults to half the window.
            ``window_weight``: ``'gaussian'`` or ``'constant'``. ``window_batch``: most
            windows in the network at a time. ``flips``: sets of axes to mirror (-1 is
            X), whose views are averaged with the plain one, or ``'all'`` seven.
            ``keep_probabilities``. ``mode='whole'`` feeds volumes as they are.
        channels_last: Whether weights and inputs lie in memory channel by channel at
            each voxel, which tensor cores want.
        compile: Whether ``torch.compile`` translates the network, or its options.
        activation_checkpointing: Whether activations are computed again in the
            backward pass and not kept; the network has to know how.
        init_cfg: As in the host.

    Raises:
        ValueError: ``test_cfg`` has an unknown key or an impossible value, or the
            network has no activation checkpointing.
    """

    def __init__(
        self,
        network: Mapping[str, Any],
        decode_head: Mapping[str, Any],
        data_preprocessor: Mapping[str, Any] | None = None,
        train_cfg: Mapping[str, Any] | None = None,
        test_cfg: Mapping[str, Any] | None = None,
        channels_last: bool = False,
        compile: bool | Mapping[str, Any] = False,  # noqa: A002 (torch's own word)
        activation_checkpointing: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        default = {'type': 'mmmed.VolumeDataPreprocessor'}
        super().__init__(dict(data_preprocessor or default), init_cfg)
        self.network: nn.Module = MODELS.build(dict(network))
        self.decode_head = MODELS.build(dict(decode_head))
        self.train_cfg = train_cfg
        self.test_cfg = _complete_test_cfg(test_cfg or {})
        self.channels_last = channels_last
        if activation_checkpointing:
            checkpoint: Any = getattr(self.network, 'checkpoint_activations', None)
            if checkpoint is None:
                raise ValueError(
                    f'{type(self.network).__name__} has no checkpoint_activations(); '
                    'set activation_checkpointing=False'
                )
            checkpoint()
        if channels_last:
            self.network.to(memory_format=torch.channels_last_3d)
        if compile:
            # In place: the names of the weights stay what they are.
            self.network.compile(**({} if compile is True else dict(compile)))

    def forward(
        self,
        inputs: Tensor,
        data_samples: list[SegDataSample] | None = None,
        mode: str = 'tensor',
    ) -> Any:
        """What the host's loops call.

        Args:
            inputs: Shape (N, C, Z, Y, X).
            data_samples: Samples with labels (``'loss'``) or metadata.
            mode: ``'loss'``, ``'predict'``, or ``'tensor'`` for logits.
        """
        if mode == 'loss':
            assert data_samples is not None
            return self.loss(inputs, data_samples)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        if mode == 'tensor':
            return self.extract_logits(inputs)
        raise ValueError(f"mode is {mode!r}, expected 'loss', 'predict' or 'tensor'")

    def loss(
        self, inputs: Tensor, data_samples: list[SegDataSample]
    ) -> dict[str, Tensor]:
        """Losses of a batch; see ``VolumeHead.loss``."""
        return self.decode_head.loss(self._run(inputs), data_samples)

    def predict(
        self, inputs: Tensor, data_samples: list[SegDataSample] | None = None
    ) -> list[SegDataSample]:
        """Predictions on the volumes' original grids.

        Args:
            inputs: Shape (N, C, Z, Y, X).
            data_samples: Samples with the metadata of the pipeline, changed in place;
                None to stay on the grid of the inputs.
        """
        if data_samples is None:
            data_samples = [SegDataSample() for _ in inputs]
        for img, sample in zip(inputs, data_samples, strict=True):
            meta = sample.metainfo
            size = meta.get('img_shape', img.shape[1:])
            # Padding of the batch is nothing to look at.
            own = img[(slice(None), *(slice(n) for n in size))]
            prob = self.infer(own[None])
            self._store(_restore(prob, meta), sample)
        return data_samples

    @torch.no_grad()
    def infer(self, inputs: Tensor) -> Tensor:
        """Probabilities (N, K, Z, Y, X) on the grid of the inputs, by ``test_cfg``."""
        cfg = self.test_cfg
        if cfg.mode == 'whole':
            return self._average_views(inputs)
        weights = None
        if cfg.window_weight == 'gaussian':
            weights = torch.from_numpy(compute_gaussian_weights(cfg.crop_size))
        return predict_by_windows(
            inputs,
            lambda windows, _: self._average_views(windows),
            window=cfg.crop_size,
            stride=cfg.stride,
            window_weights=weights,
            window_batch=cfg.window_batch,
            pad_value=float(getattr(self.data_preprocessor, 'pad_val', 0.0)),
        )

    def extract_logits(self, inputs: Tensor) -> Tensor:
        """Logits (N, K, Z, Y, X) of the finest depth."""
        logits = self._run(inputs)
        return logits if isinstance(logits, Tensor) else logits[0]

    def encode_decode(
        self, inputs: Tensor, batch_img_metas: Sequence[Mapping] | None = None
    ) -> Tensor:
        """The same under the name that the host's segmentors have."""
        return self.extract_logits(inputs)

    def _run(self, inputs: Tensor) -> Tensor | Sequence[Tensor]:
        if self.channels_last:
            inputs = inputs.contiguous(memory_format=torch.channels_last_3d)
        return self.network(inputs)

    def _average_views(self, inputs: Tensor) -> Tensor:
        total = activate_logits(self.extract_logits(inputs))
        for axes in self.test_cfg.flips:
            view = self.extract_logits(inputs.flip(axes))
            total = total + activate_logits(view).flip(axes)
        return total / (1 + len(self.test_cfg.flips))

    def _store(self, prob: Tensor, sample: SegDataSample) -> None:
        sample.pred_sem_seg = VoxelData(data=self.decode_head.assign(prob)[0])
        if self.test_cfg.keep_probabilities:
            sample.set_data({'seg_probs': VoxelData(data=prob[0])})


def _restore(prob: Tensor, meta: Mapping[str, Any]) -> Tensor:
    """Probabilities (1, K, Z, Y, X) on the stored grid, of ``ori_shape``."""
    grid = meta.get('img_grid')
    if grid is None:
        return prob
    for axis, ((step, offset), n) in enumerate(
        zip(grid, meta['ori_shape'], strict=True)
    ):
        size = prob.shape[axis + 2]
        place = (torch.arange(n, dtype=torch.float64) - offset) / step
        place = place.clamp(0, size - 1)
        low = place.floor().long().clamp(max=max(size - 2, 0))
        high = (low + 1).clamp(max=size - 1)
        shape = [1] * prob.ndim
        shape[axis + 2] = n
        share = (place - low).to(prob).view(shape)
        low, high = low.to(prob.device), high.to(prob.device)
        below = prob.index_select(axis + 2, low)
        prob = below.lerp_(prob.index_select(axis + 2, high), share)
    return prob


def _complete_test_cfg(given: Mapping[str, Any]) -> ConfigDict:
    unknown = sorted(set(given) - set(_TEST_DEFAULTS))
    if unknown:
        raise ValueError(f'test_cfg knows {sorted(_TEST_DEFAULTS)}, got {unknown}')
    cfg = ConfigDict({**_TEST_DEFAULTS, **given})
    if cfg.mode not in ('whole', 'slide'):
        raise ValueError(f"test_cfg.mode must be 'whole' or 'slide', got {cfg.mode!r}")
    if cfg.window_weight not in ('gaussian', 'constant') or cfg.window_batch < 1:
        raise ValueError(
            "test_cfg.window_weight must be 'gaussian' or 'constant' and window_batch "
            f'>= 1, got {cfg.window_weight!r} and {cfg.window_batch}'
        )
    if cfg.flips == 'all':
        cfg.flips = [
            axes for k in (1, 2, 3) for axes in itertools.combinations(_AXES, k)
        ]
    cfg.flips = tuple(tuple(axes) for axes in cfg.flips)
    if not all(axes and set(axes) <= set(_AXES) for axes in cfg.flips):
        raise ValueError(f'test_cfg.flips are {cfg.flips}, expected sets of {_AXES}')
    if cfg.mode == 'slide':
        _complete_windows(cfg)
    return cfg


def _complete_windows(cfg: ConfigDict) -> None:
    if cfg.crop_size is None or len(cfg.crop_size) != 3:
        raise ValueError(
            f"test_cfg.mode='slide' needs crop_size=(Z, Y, X), got {cfg.crop_size}"
        )
    cfg.crop_size = tuple(cfg.crop_size)
    cfg.stride = tuple(cfg.stride or (max(1, n // 2) for n in cfg.crop_size))
    if not all(1 <= s <= n for s, n in zip(cfg.stride, cfg.crop_size, strict=True)):
        raise ValueError(
            f'test_cfg.stride must lie in 1..crop_size, got {cfg.stride} for '
            f'{cfg.crop_size}; larger strides would leave gaps'
        )
