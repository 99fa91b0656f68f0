import pytest
import torch

from mmmed.functional.labelled_logits import (
    compute_membership,
    prepare_labelled_logits,
)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_raised_to_single(dtype):
    data = prepare_labelled_logits(
        torch.zeros(1, 1, 2, dtype=dtype), torch.zeros(1, 2, dtype=torch.uint8)
    )
    assert data.logits.dtype == data.weight.dtype == torch.float32
    assert data.target.dtype == torch.int64


def test_double_precision_is_kept():
    data = prepare_labelled_logits(
        torch.zeros(1, 1, 2, dtype=torch.float64), torch.zeros(1, 2).bool()
    )
    assert data.logits.dtype == data.weight.dtype == torch.float64


def test_ignored_pixel_reaches_neither_value_nor_gradient():
    logits = torch.tensor([[[1.0, float('nan'), 2.0]]], requires_grad=True)
    data = prepare_labelled_logits(
        logits,
        torch.tensor([[0, 255, 1]]),
        weight=torch.tensor([[0.5, float('nan'), 2.0]]),
    )
    assert data.weight.tolist() == [[0.5, 0.0, 2.0]]
    assert data.target.tolist() == [[0, 0, 1]]
    data.logits.sum().backward()
    assert logits.grad.tolist() == [[[1.0, 0.0, 1.0]]]


def test_ignore_index_can_be_another_label_or_none():
    logits = torch.zeros(1, 3, 3)
    target = torch.tensor([[0, 1, 2]])
    assert prepare_labelled_logits(logits, target, ignore_index=0).weight.tolist() == [
        [0.0, 1.0, 1.0]
    ]
    assert prepare_labelled_logits(
        logits, target, ignore_index=None
    ).weight.tolist() == [[1.0, 1.0, 1.0]]


@pytest.mark.parametrize(('channels', 'classes'), [(1, 2), (2, 2), (5, 5)])
def test_one_channel_means_two_classes(channels, classes):
    data = prepare_labelled_logits(
        torch.zeros(1, channels, 4), torch.zeros(1, 4, dtype=torch.long)
    )
    assert data.num_classes == classes


@pytest.mark.parametrize(
    ('logits', 'target', 'weight', 'message'),
    [
        (torch.zeros(2, 1, 4, 5), torch.zeros(2, 5, 4).long(), None, 'does not fit'),
        (torch.zeros(2, 1, 4), torch.zeros(2, 1, 4).long(), None, 'drop the channel'),
        (torch.zeros(2, 1, 4), torch.zeros(2, 4).long(), torch.ones(2), 'weight does'),
        (torch.zeros(1, 1, 4), torch.zeros(1, 4), None, 'integer labels'),
        (torch.zeros(1, 1, 4).long(), torch.zeros(1, 4).long(), None, 'floating'),
        (torch.zeros(1, 1, 2), torch.tensor([[0, 2]]), None, r'labels 0\.\.2'),
        (torch.zeros(1, 3, 2), torch.tensor([[0, -1]]), None, r'expected 0\.\.2'),
        # A 0/254 mask: the label is neither a class nor ignored.
        (torch.zeros(1, 1, 2), torch.tensor([[0, 254]]), None, '0/255 are the usual'),
    ],
)
def test_misfit_is_refused_with_the_remedy(logits, target, weight, message):
    with pytest.raises(ValueError, match=message):
        prepare_labelled_logits(logits, target, weight)


def test_membership_marks_each_class_in_three_dimensions():
    target = torch.tensor([0, 1, 2, 1]).view(1, 1, 2, 2)
    member = compute_membership(target, 3)
    assert member.shape == (1, 3, 1, 2, 2)
    assert member.dtype == torch.bool
    assert member.flatten(2).sum(2).tolist() == [[1, 2, 1]]
    assert torch.equal(compute_membership(target, 3, first=1), member[:, 1:])
