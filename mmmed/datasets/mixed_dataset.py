"""MixedDataset: real and synthetic cases of two prepared folders as one dataset.

Not here: the ratio (``samplers.foreground_sampler``), synthesis while training
(``transforms.synthesize_lesions``), which needs no second folder.
"""

from collections.abc import Mapping
from typing import Any

from mmengine.dataset import ConcatDataset

from mmmed.registry import DATASETS

_SHARED = ('classes', 'channels')


@DATASETS.register_module()
class MixedDataset(ConcatDataset):
    """Real cases, then synthetic ones; the real ones are its ``positive`` cases.

    So the share of a ``mmmed.ForegroundSampler(positive_share=...)`` is that of real
    cases: exact in every block of draws, and the same stream for any number of
    workers. Each case goes through the pipeline of its own dataset.

    Args:
        real: Dataset with real lesions, of type ``mmmed.VolumeDataset``.
        synthetic: Dataset of scans that ``tools/synthesize.py generate`` made.
        lazy_init: As in the host.

    Raises:
        ValueError: Their classes or channels differ.
    """

    def __init__(self, real: Any, synthetic: Any, lazy_init: bool = False) -> None:
        parts = [
            DATASETS.build(dict(part)) if isinstance(part, Mapping) else part
            for part in (real, synthetic)
        ]
        first, second = (part.metainfo for part in parts)
        for key in _SHARED:
            if first.get(key) != second.get(key):
                raise ValueError(
                    f'{key} are {first.get(key)} in the real and {second.get(key)} in '
                    'the synthetic data set; prepare both with the same labels'
                )
        others = sorted((first.keys() | second.keys()) - set(_SHARED))
        super().__init__(parts, lazy_init, ignore_keys=others)

    def get_data_info(self, idx: int) -> dict:
        """Entry of one case, whose ``positive`` says whether it is real."""
        results = dict(super().get_data_info(idx))
        results['positive'] = self.is_positive(idx)
        return results

    def is_positive(self, idx: int) -> bool:
        """Whether a case is real."""
        return self._get_ori_dataset_idx(int(idx))[0] == 0
