import pytest
import torch

from mmmed.synthesis.quality_filter import filter_lesions


@pytest.fixture
def scene():
    """An organ (1) with lesions (2) of 8, 4 and 6 voxels, found by 1/2, 1/4 and 1."""
    seg = torch.ones(6, 9, 7, dtype=torch.uint8)
    seg[0] = 255
    seg[1:3, 0:2, 0:2] = 2
    seg[4, 4:6, 4:6] = 2
    seg[1:4, 7, 5:7] = 2
    prob = torch.full(seg.shape, 0.1)
    prob[1, 0:2, 0:2] = 0.5
    prob[4, 4, 4] = 0.9
    prob[1:4, 7, 5:7] = 1.0
    return seg, prob


def test_a_lesion_found_by_less_than_half_is_ignored(scene):
    seg, prob = scene
    before = seg.clone()
    result = filter_lesions(seg, prob)
    assert (result.asked, result.kept) == (3, 2)
    expected = seg.clone()
    expected[4, 4:6, 4:6] = 255
    assert torch.equal(result.seg, expected)
    assert torch.equal(seg, before)
    assert result.seg.dtype == torch.uint8
    strict = filter_lesions(seg, prob, threshold=0.6, least_share=0.75)
    assert (strict.asked, strict.kept) == (3, 1)
    assert (strict.seg == 2).sum() == 6


def test_nothing_changes_where_all_are_found_or_there_are_none(scene):
    seg, _ = scene
    assert filter_lesions(seg, torch.ones(seg.shape)).seg is seg
    healthy = torch.ones(3, 4, 5, dtype=torch.uint8)
    assert filter_lesions(healthy, torch.zeros(3, 4, 5)) == (healthy, 0, 0)
    sample = filter_lesions(healthy, torch.zeros(3, 4, 5), scope='sample')
    assert sample == (healthy, 0, 0)


def test_a_sample_is_judged_as_one(scene):
    seg, prob = scene
    # 4 + 1 + 6 of 18 voxels.
    kept = filter_lesions(seg, prob, scope='sample', least_share=0.6)
    assert (kept.seg is seg, kept.asked, kept.kept) == (True, 1, 1)
    lost = filter_lesions(seg, prob, scope='sample', least_share=0.62)
    assert (lost.asked, lost.kept) == (1, 0)
    assert (lost.seg == 255).all()


def test_voxels_that_touch_at_a_corner_are_one_lesion():
    seg = torch.zeros(2, 2, 2, dtype=torch.uint8)
    seg[0, 0, 0] = seg[1, 1, 1] = 2
    prob = torch.zeros(2, 2, 2)
    prob[0, 0, 0] = 1
    assert filter_lesions(seg, prob)[1:] == (1, 1)


def test_logits_are_refused(scene):
    seg, prob = scene
    with pytest.raises(ValueError, match='apply softmax'):
        filter_lesions(seg, prob * 10 - 5)
    with pytest.raises(ValueError, match='scope'):
        filter_lesions(seg, prob, scope='voxel')
