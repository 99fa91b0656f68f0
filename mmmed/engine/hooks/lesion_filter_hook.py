"""LesionFilterHook: train on those synthetic lesions that a trained network finds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor, nn

from mmmed.checkpoint import load_checkpoint_safely
from mmmed.registry import HOOKS, MODELS
from mmmed.structures.voxel_data import VoxelData
from mmmed.synthesis.quality_filter import (
    IGNORED,
    SCOPES,
    TUMOR,
    filter_lesions,
)


@HOOKS.register_module()
class LesionFilterHook(Hook):
    """Ask a trained segmentor for each synthetic lesion of a training batch.

    It works on the batch as the network sees it, on its device and after all
    augmentation, so workers carry no second network. A lesion of which less than half
    is found is no longer trained on: its voxels get the label that the loss ignores.
    Real tumors are never asked for; a sample that shows both is left alone.

    The result is a function of the batch alone: the same for any number of workers,
    and for a run that was interrupted. The share of lesions that stay is logged as
    ``lesions_kept``.

    Args:
        config: Config file of the trained segmentor, a ``mmmed.VolumeSegmentor`` that
            takes the same input: window, voxel size, channels.
        checkpoint: Its weights; loaded without running code.
        threshold: Probability from which a voxel is found, in (0, 1].
        least_share: Share of a lesion that has to be found, in [0, 1].
        scope: ``'lesion'`` or ``'sample'``, see
            :func:`mmmed.synthesis.quality_filter.filter_lesions`.
        label: Class of lesions.
        ignore_index: Of the loss.

    Raises:
        ValueError: An option is out of range, or the checkpoint does not fit.
        FileNotFoundError: There is no config or checkpoint.
    """

    priority = 'NORMAL'

    def __init__(
        self,
        config: str,
        checkpoint: str,
        threshold: float = 0.5,
        least_share: float = 0.5,
        scope: str = 'lesion',
        label: int = TUMOR,
        ignore_index: int = IGNORED,
    ) -> None:
        if not 0 < threshold <= 1 or not 0 <= least_share <= 1 or scope not in SCOPES:
            raise ValueError(
                f'threshold {threshold}, least_share {least_share}, scope {scope!r}; '
                f'expected (0, 1], [0, 1] and one of {", ".join(SCOPES)}'
            )
        self.config, self.checkpoint = str(config), str(checkpoint)
        self.options: dict[str, Any] = {
            'threshold': threshold,
            'least_share': least_share,
            'scope': scope,
            'label': label,
            'ignore_index': ignore_index,
        }
        self._model: Any = None
        self._handle: Any = None
        self._runner: Runner | None = None

    def before_train(self, runner: Runner) -> None:
        """Load the segmentor, and stand behind the model's data preprocessor."""
        model: Any = runner.model
        if is_model_wrapper(model):
            model = model.module
        device = next(model.parameters()).device
        # Beside the model, not in it: no checkpoint, optimizer or process group of the
        # training knows it.
        self._model = load_segmentor(self.config, self.checkpoint).to(device)
        self._runner = runner
        self._handle = model.data_preprocessor.register_forward_hook(
            self._follow, with_kwargs=True
        )

    def after_train(self, runner: Runner) -> None:
        """Go away."""
        if self._handle is not None:
            self._handle.remove()
        self._model = self._handle = self._runner = None

    def _follow(
        self, module: nn.Module, args: tuple, kwargs: dict, batch: dict[str, Any]
    ) -> dict[str, Any]:
        is_training = kwargs.get('training', args[1] if len(args) > 1 else False)
        if is_training and batch['data_samples'] is not None:
            asked, kept = self.filter_batch(batch['inputs'], batch['data_samples'])
            if asked and self._runner is not None:
                self._runner.message_hub.update_scalar(
                    'train/lesions_kept', kept / asked, asked
                )
        return batch

    @torch.no_grad()
    def filter_batch(self, inputs: Tensor, samples: list) -> tuple[int, int]:
        """Change the labels of samples with synthetic lesions.

        Args:
            inputs: Shape (N, C, Z, Y, X), as the network sees them.
            samples: With ``gt_sem_seg`` (1, Z, Y, X) and the metadata of
                ``mmmed.SynthesizeLesions``; changed in place.

        Returns:
            How many lesions were asked for, and how many stay.
        """
        places = [k for k, sample in enumerate(samples) if _is_asked(sample)]
        if not places:
            return 0, 0
        prob = self._model.infer(inputs[places])[:, self.options['label']]
        asked = kept = 0
        for k, one in zip(places, prob, strict=True):
            seg = samples[k].gt_sem_seg.data[0]
            # Averages of windows may exceed 1 by a rounding.
            result = filter_lesions(seg, one.float().clamp(0, 1), **self.options)
            if result.seg is not seg:
                samples[k].gt_sem_seg = VoxelData(data=result.seg[None])
            asked, kept = asked + result.asked, kept + result.kept
        return asked, kept


def load_segmentor(config: str, checkpoint: str) -> Any:
    """A trained segmentor, frozen.

    Raises:
        FileNotFoundError: There is no config or checkpoint.
        ValueError: The weights are not those of the config.
    """
    if not Path(config).is_file():
        raise FileNotFoundError(f'no config of the lesion filter at {config}')
    model = MODELS.build(Config.fromfile(config).model)
    loaded = load_checkpoint_safely(checkpoint, map_location='cpu')
    weights = loaded.get('state_dict', loaded)
    try:
        model.load_state_dict(weights)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise ValueError(
            f'{checkpoint}: not the weights of {config}; give the checkpoint that this '
            'config trained'
        ) from error
    if not hasattr(model, 'infer'):
        raise ValueError(f'{config}: expected a mmmed.VolumeSegmentor')
    return model.eval().requires_grad_(False)


def _is_asked(sample: Any) -> bool:
    """Whether all lesions of a sample are synthetic, and there are some."""
    meta: Mapping[str, Any] = sample.metainfo
    has_lesions = bool(meta.get('lesions')) and not meta.get('mixes_real', False)
    return has_lesions and 'gt_sem_seg' in sample
