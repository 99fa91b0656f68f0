import pytest
import torch

from mmmed.synthesis import measure_found, select_found
from mmmed.synthesis.quality import number_lesions


def test_shares_of_each_lesion():
    lesions = torch.zeros(2, 4, 4, 4, dtype=torch.uint8)
    lesions[0, 0] = 1
    lesions[1, 0, 0] = 3
    prob = torch.zeros(lesions.shape)
    prob[0, 0, :1] = 0.5
    prob[1, 0, 0, :3] = 0.9
    found = measure_found(prob, lesions)
    assert found[[0, 2]].tolist() == [0.25, 0.75]
    assert found[1].isnan()
    assert select_found(prob, lesions).tolist() == [False, False, True]


def test_logits_are_refused():
    lesions = torch.ones(2, 2, 2, dtype=torch.int64)
    with pytest.raises(ValueError, match='softmax'):
        measure_found(torch.full((2, 2, 2), 3.0), lesions)
    with pytest.raises(ValueError, match='shape'):
        measure_found(torch.zeros(2, 2), lesions)


def test_no_lesion_is_an_empty_answer():
    assert measure_found(torch.zeros(2, 2, 2), torch.zeros(2, 2, 2)).shape == (0,)


def test_numbers_by_box():
    label = torch.ones(4, 4, 4, dtype=torch.uint8)
    label[:2] = 2
    boxes = [(slice(0, 1),) * 3, (slice(1, 3), slice(0, 2), slice(0, 2))]
    numbers = number_lesions(label, boxes)
    assert torch.bincount(numbers.flatten()).tolist() == [59, 1, 4]
