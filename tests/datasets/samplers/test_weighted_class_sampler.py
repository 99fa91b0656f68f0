"""WeightedClassSampler."""

from collections import Counter
from itertools import islice

import numpy as np
import pytest
from mmengine.dataset import BaseDataset, ConcatDataset, RepeatDataset
from torch.utils.data import DataLoader

import mmmed.datasets.samplers.stream_sampler as stream_sampler
from mmmed.registry import DATA_SAMPLERS

# Class 1 is absent, four cases have no label: 30, 9 and 2 cases.
LABELS = [-1, *[0] * 30, -1, *[2] * 9, -1, *[3] * 2, -1]


class Cases:
    def __init__(self, labels=LABELS):
        self.labels = labels

    def __len__(self):
        return len(self.labels)

    def get_data_info(self, index):
        return {'targets': {'cord': self.labels[index]}}

    def __getitem__(self, draw):
        return int(draw), draw.draw


class Listed(BaseDataset):
    def __init__(self, labels):
        self.labels = labels
        super().__init__()

    def load_data_list(self):
        return [{'targets': {'cord': label}} for label in self.labels]


def make(dataset=Cases(), **options):  # noqa: B008
    options = {'target': 'cord', 'seed': 7, **options}
    config = {'type': 'mmmed.WeightedClassSampler', 'dataset': dataset}
    return DATA_SAMPLERS.build({**config, **options})


def take(sampler, count):
    return [(int(draw), draw.draw) for draw in islice(sampler, count)]


def test_every_block_has_every_class_once_and_every_case_its_turn():
    sampler = make()
    assert sampler.classes == [0, 2, 3]
    indices = [index for index, _ in take(sampler, 3 * 90)]
    labels = np.array([LABELS[index] for index in indices]).reshape(-1, 3)
    assert (np.sort(labels, 1) == [0, 2, 3]).all()
    assert len({tuple(block) for block in labels.tolist()}) == 6
    # 90 blocks: 90 draws of 30, of 9 and of 2 cases.
    counts = Counter(indices)
    expected = {0: 3, 2: 10, 3: 45}
    assert counts == {i: expected[c] for i, c in enumerate(LABELS) if c >= 0}


def test_ranks_share_one_stream_and_any_position_is_a_start(monkeypatch):
    whole = take(make(), 60)
    parts = []
    for rank in range(2):
        monkeypatch.setattr(stream_sampler, 'get_dist_info', lambda r=rank: (r, 2))
        parts.append(take(make(), 30))
    assert [draw for pair in zip(*parts, strict=True) for draw in pair] == whole
    monkeypatch.undo()
    later = make()
    later.start = 41
    assert take(later, 19) == whole[41:]
    assert take(make(seed=8), 60) != whole


@pytest.mark.parametrize('workers', [0, 2])
def test_epochs_and_workers(workers):
    sampler = make(epoch_length='dataset')
    loader = DataLoader(Cases(), batch_size=5, sampler=sampler, num_workers=workers)
    sampler.set_epoch(1)
    draws = [draw for batch in loader for draw in zip(*batch, strict=True)]
    found = [(int(index), int(position)) for index, position in draws]
    assert found == take(make(), 90)[45:90]
    assert len(LABELS) == 45


def test_wrappers_and_names():
    parts = [Listed([0, 0]), Listed([1])]
    for wrapped in (ConcatDataset(parts), RepeatDataset(Listed([0, 0, 1]), 1)):
        sampler = make(wrapped)
        assert sampler.classes == [0, 1]
        assert {i for i, _ in take(sampler, 16)} == {0, 1, 2}
    with pytest.raises(ValueError, match="no target 'view'"):
        make(target='view')
    with pytest.raises(ValueError, match='no case of the dataset has a label'):
        make(Cases([-1, -1]))
    with pytest.raises(ValueError, match='empty'):
        make(Cases([]))


def test_patients_of_a_class_come_equally_often():
    class Owned(Cases):
        """The first 36 cases are of one patient, the others of one each."""

        def get_data_info(self, index):
            owner = 'many' if index < 36 else str(index)
            return super().get_data_info(index) | {'patient_id': owner}

    dataset = Owned()
    sampler = make(dataset, balance_patients=True)
    draws = [sampler.find_index(p) for p in range(3 * 120)]
    assert Counter(LABELS[i] for i in draws) == {0: 120, 2: 120, 3: 120}
    # Class 2: four cases of "many", five of other patients, so six groups.
    found = Counter(draws)
    owners = [i for i, label in enumerate(LABELS) if label == 2]
    assert {found[i] for i in owners if i >= 36} == {20}
    assert {found[i] for i in owners if i < 36} == {5}
    with pytest.raises(ValueError, match='Cases does not tell patient'):
        make(balance_patients=True)
