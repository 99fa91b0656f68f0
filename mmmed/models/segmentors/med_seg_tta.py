"""Test-time augmentation that averages probabilities, once."""

from collections.abc import Sequence
from typing import Any

from mmengine.model import BaseTTAModel, is_model_wrapper
from mmseg.structures import SegDataSample
from torch import nn

from mmmed.functional.probabilities import activate_logits, deactivate_probabilities
from mmmed.models.segmentors.med_encoder_decoder import MedEncoderDecoder
from mmmed.registry import MODELS


@MODELS.register_module()
class MedSegTTAModel(BaseTTAModel):
    """Mean probability over augmented views of each image.

    Each view's prediction is already back on the original grid when it arrives here
    (the segmentor removes margins, flips and scales). One channel goes through the
    sigmoid once; the host's ``SegTTAModel`` applies it to probabilities, all of which
    then exceed 0.5, and calls everything foreground.

    The result carries metadata and truth of the first view that is not flipped, so
    list the view without augmentation first. Its ``seg_logits`` are those of the mean
    probability: sigmoid or softmax gives the mean back.

    For ``mim test … --tta`` or :func:`mmengine.hooks.build_runner_with_tta`::

        tta_model = dict(type='mmmed.MedSegTTAModel')
        tta_pipeline = [
            dict(type='mmmed.LoadSlice', size=(512, 512), resize_seg=False),
            dict(type='TestTimeAug', transforms=[
                [dict(type='mmmed.RandomFlipSlice', prob=0.0),
                 dict(type='mmmed.RandomFlipSlice', prob=1.0)],
                [dict(type='mmmed.PackMedInputs')]])]

    Scales: make ``LoadSlice`` the first list inside ``transforms``, once per size. The
    truth must stay as in the file (``resize_seg=False``).

    Args:
        module: A :class:`MedEncoderDecoder` or its configuration, or one wrapped for
            distributed testing.
        data_preprocessor: Overrides that of ``module``.

    Raises:
        ValueError: ``module`` does not promise raw logits, or all views are flipped.
    """

    def __init__(
        self,
        module: dict | nn.Module,
        data_preprocessor: dict | nn.Module | None = None,
    ) -> None:
        super().__init__(module, data_preprocessor)
        if not isinstance(self.segmentor, MedEncoderDecoder):
            raise ValueError(
                f'module must store raw logits, got {type(self.segmentor).__name__}, '
                f'whose one-channel logits may be probabilities; use '
                f'mmmed.MedEncoderDecoder'
            )

    @property
    def segmentor(self) -> Any:
        """The segmentor without its distributed wrapper."""
        module = self.module
        return module.module if is_model_wrapper(module) else module

    def merge_preds(
        self, data_samples_list: Sequence[Sequence[SegDataSample]]
    ) -> list[SegDataSample]:
        """Merge the views of each image.

        Args:
            data_samples_list: For each image, its predictions, one per view.

        Returns:
            One sample per image, with the fields of :class:`MedEncoderDecoder`.
        """
        return [self._merge_views(views) for views in data_samples_list]

    def _merge_views(self, views: Sequence[SegDataSample]) -> SegDataSample:
        total = activate_logits(views[0].seg_logits.data[None])  # (1, K, Y, X)
        for view in views[1:]:
            total += activate_logits(view.seg_logits.data[None])
        mean = total / len(views)
        merged = _find_reference(views).clone()
        self.segmentor.store_logits(deactivate_probabilities(mean), merged)
        return merged


def _find_reference(views: Sequence[SegDataSample]) -> SegDataSample:
    for view in views:
        if not view.metainfo.get('flip'):
            return view
    raise ValueError(
        f'every one of the {len(views)} views is flipped, so none has the metadata of '
        f'the original; add a view without flip to tta_pipeline'
    )
