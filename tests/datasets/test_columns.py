from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.dataset import ConcatDataset

from mmmed.datasets.columns import (
    read_foreground,
    read_lesion_distances,
    read_pixel_areas,
)


class Entries:
    def __init__(self, *infos) -> None:
        self.infos = infos

    def __len__(self) -> int:
        return len(self.infos)

    def get_data_info(self, idx: int) -> dict:
        return self.infos[idx]


def test_entry_by_entry():
    dataset = Entries(
        {'foreground_pixels': 3, 'spacing': (0.5, 0.8)},
        {'foreground_pixels': None, 'spacing': None},
    )
    assert read_foreground(dataset).tolist() == [3, -1]
    assert read_pixel_areas(dataset).tolist() == [0.4, 1.0]


def test_parts_and_ready_columns_come_first():
    ready = SimpleNamespace(get_column=lambda name: np.array([len(name)]))
    joined = ConcatDataset.__new__(ConcatDataset)
    joined.datasets = [ready, Entries({'foreground_pixels': 3})]
    joined._fully_initialized = True
    assert read_foreground(joined).tolist() == [17, 3]
    assert read_lesion_distances(ready).tolist() == [15]


def test_a_dataset_that_does_not_tell_is_named():
    with pytest.raises(ValueError, match='Entries does not tell foreground_pixels'):
        read_foreground(Entries({'positive': True}))
    with pytest.raises(ValueError, match='Entries does not tell lesion_distance'):
        read_lesion_distances(Entries({'foreground_pixels': 3}))
    with pytest.raises(ValueError, match='list does not tell foreground_pixels'):
        read_foreground([1, 2])
