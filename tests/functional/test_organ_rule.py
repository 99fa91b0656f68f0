import numpy as np
import pytest
from scipy import ndimage

from mmmed.functional.organ_rule import OrganRule, keep_near_organ

SPACING = (5.0, 1.0, 2.0)


def make_scene():
    """A liver (1) in two pieces, and tumors (2) at known distances from the larger."""
    labels = np.zeros((9, 40, 30), np.uint8)
    labels[2:6, 5:20, 5:20] = 1
    labels[7, 35:38, 25:28] = 1  # a smaller piece
    labels[3, 10:12, 10:12] = 2  # inside
    labels[3, 25:28, 5:8] = 2  # 6 mm along Y
    labels[3, 5, 23] = 2  # 8 mm along X
    labels[8, 10, 10] = 2  # 15 mm along Z
    labels[0, 30, 2] = 3  # something else
    return labels


def keep(labels, within_mm, **options):
    options = {'organ': {1}, 'lesion': {2}} | options
    return keep_near_organ(labels, SPACING, within_mm=within_mm, **options)


@pytest.mark.parametrize(
    ('within_mm', 'kept'), [(0, 4), (5.9, 4), (6, 13), (8, 14), (14.9, 14), (15, 15)]
)
def test_distances_are_in_mm(within_mm, kept):
    labels = make_scene()
    before = labels.copy()
    result = keep(labels, within_mm)
    assert (result == 2).sum() == kept
    assert (result == 1).sum() == 4 * 15 * 15 - 4  # the smaller piece is gone
    assert np.array_equal(result == 3, labels == 3)
    assert np.array_equal(labels, before)
    assert result.dtype == np.uint8


def test_a_lesion_that_divides_the_organ_loses_none_of_it():
    labels = np.ones((4, 20, 9), np.uint8)
    labels[:, 8:10] = 2
    assert np.array_equal(keep(labels, 0), labels)


def test_a_lesion_stays_whole_however_far_it_reaches():
    labels = np.zeros((4, 60, 9), np.uint8)
    labels[:, :5] = 1
    labels[:, 6:50] = 2
    assert np.array_equal(keep(labels, 2), labels)
    assert (keep(labels, 1.9) == 2).sum() == 0


def test_most_organ_counts_not_most_lesion():
    labels = np.zeros((3, 20, 20), np.uint8)
    labels[:, :3, :3] = 1
    labels[:, 10:, 10:] = 2
    labels[1, 12, 12] = 1  # in a large false lesion
    result = keep(labels, 0)
    assert (result == 1).sum() == 27
    assert (result == 2).sum() == 0


def test_without_an_organ_no_lesion_stays_and_empty_stays_empty():
    labels = np.zeros((3, 4, 5), np.int16)
    assert not keep(labels, 10).any()
    labels[1, 1, 1] = 2
    assert not keep(labels, np.inf).any()


def test_random_maps_agree_with_a_distance_transform(rng):
    for _ in range(5):
        smooth = ndimage.gaussian_filter(rng.normal(size=(12, 30, 24)), (1, 3, 2))
        labels = np.digitize(smooth, [0.02, 0.05]).astype(np.uint8)
        pieces, _ = ndimage.label(labels > 0)
        main = pieces == np.bincount(pieces[labels == 1]).argmax()
        away = ndimage.distance_transform_edt(~main, sampling=SPACING)
        lesions, count = ndimage.label((labels == 2) & ~main)
        expected = np.where(main, labels, 0)
        for number in range(1, count + 1):
            if away[lesions == number].min() <= 7:
                expected[lesions == number] = 2
        assert np.array_equal(keep(labels, 7), expected)


def test_options_by_name():
    rule = OrganRule.parse(['liver', 'tumor', '6'])
    values = {'liver': (1, 2), 'tumor': (2,)}  # the liver includes its tumors
    labels = make_scene()
    assert np.array_equal(rule.apply(labels, SPACING, values), keep(labels, 6))
    rule.check(values)
    assert rule.as_list() == ['liver', 'tumor', 6.0]
    with pytest.raises(ValueError, match="names 'tumor', expected one of liver"):
        rule.check(['liver'])


@pytest.mark.parametrize(
    'texts', [['a', 'b', 'c'], ['a', 'a', '3'], ['a', 'b', '-1'], ['a', 'b', 'nan']]
)
def test_wrong_words_are_refused(texts):
    with pytest.raises(ValueError, match='keep-near'):
        OrganRule.parse(texts)


def test_labels_must_differ():
    with pytest.raises(ValueError, match='different labels'):
        keep(np.zeros((2, 2, 2), np.uint8), 1, lesion={1})
