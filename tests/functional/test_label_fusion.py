"""Votes and STAPLE: small cases by hand, whole maps against SimpleITK."""

import numpy as np
import pytest

from mmmed.functional import label_fusion
from mmmed.functional.label_fusion import fuse_by_staple, fuse_by_vote


def test_majority_wins_and_ties_go_to_the_smaller_label() -> None:
    maps = np.array(
        [
            [0, 1, 2, 2, 1, 0],
            [0, 1, 1, 2, 2, 3],
            [1, 2, 1, 0, 3, 3],
        ],
        dtype=np.uint8,
    )
    # The last but one: 1, 2 and 3 once each.
    assert fuse_by_vote(list(maps)).tolist() == [0, 1, 1, 2, 1, 3]
    assert fuse_by_vote(list(maps[:2])).tolist() == [0, 1, 1, 2, 1, 0]


@pytest.mark.parametrize('members', [1, 2, 3, 5])
def test_members_that_agree_are_believed(members, rng) -> None:
    truth = rng.integers(0, 4, (5, 6, 7), dtype=np.uint8)
    maps = [truth.copy() for _ in range(members)]
    assert np.array_equal(fuse_by_vote(maps), truth)
    result = fuse_by_staple(maps)
    assert np.array_equal(result.labels, truth)
    assert result.converged
    for matrix in result.confusion:
        # One alone tells nothing new: its matrix stays the one that STAPLE starts from.
        np.testing.assert_allclose(np.diag(matrix), 1, atol=2e-5)


def test_staple_of_a_map_of_one_label() -> None:
    result = fuse_by_staple([np.zeros((3, 4), np.uint8)] * 3)
    assert not result.labels.any()
    assert result.present == (0,)


def make_raters(rng, shape, truth, errors):
    """Raters that give another label at random, with known frequency."""
    labels = int(truth.max()) + 1
    maps = []
    for share in errors:
        wrong = rng.random(shape) < share
        shift = rng.integers(1, labels, shape)
        maps.append(np.where(wrong, (truth + shift) % labels, truth).astype(np.uint8))
    return maps


def test_staple_finds_out_who_is_reliable(rng) -> None:
    shape = (20, 30, 30)
    truth = (rng.random(shape) < 0.3).astype(np.uint8)
    errors = [0.02, 0.05, 0.3, 0.35, 0.4]
    maps = make_raters(rng, shape, truth, errors)
    result = fuse_by_staple(maps)
    # The prior is the share of votes, which errors inflate (0.3 to 0.38): estimates
    # are near the truth, not on it.
    for matrix, share in zip(result.confusion, errors, strict=True):
        np.testing.assert_allclose(np.diag(matrix), 1 - share, atol=0.06)
    staple = (result.labels != truth).mean()
    vote = (fuse_by_vote(maps) != truth).mean()
    assert staple < 0.03 < 0.05 < vote  # two good raters outweigh three bad ones


@pytest.mark.parametrize('seed', range(3))
def test_binary_staple_is_simpleitks(seed) -> None:
    sitk = pytest.importorskip('SimpleITK')
    rng = np.random.default_rng(seed)
    shape = (12, 20, 17)
    z, y, x = np.ogrid[:12, :20, :17]
    truth = ((z - 6) ** 2 + (y - 9) ** 2 + (x - 8) ** 2 < 30).astype(np.uint8)
    maps = make_raters(rng, shape, truth, [0.03, 0.1, 0.2, 0.15])
    result = fuse_by_staple(maps, tolerance=1e-10, max_iterations=2000)
    reference = sitk.STAPLEImageFilter()
    reference.SetForegroundValue(1.0)
    reference.SetMaximumIterations(2000)
    prob = sitk.GetArrayFromImage(
        reference.Execute([sitk.GetImageFromArray(m) for m in maps])
    )
    sensitivity = [matrix[1, 1] for matrix in result.confusion]
    specificity = [matrix[0, 0] for matrix in result.confusion]
    np.testing.assert_allclose(sensitivity, reference.GetSensitivity(), atol=1e-4)
    np.testing.assert_allclose(specificity, reference.GetSpecificity(), atol=1e-4)
    assert np.array_equal(result.labels, prob > 0.5)


def test_staple_of_many_labels_is_simpleitks(rng) -> None:
    sitk = pytest.importorskip('SimpleITK')
    shape = (12, 20, 17)
    truth = rng.integers(0, 4, shape).astype(np.uint8)
    maps = make_raters(rng, shape, truth, [0.05, 0.1, 0.3, 0.2, 0.4])
    reference = sitk.MultiLabelSTAPLEImageFilter()
    reference.SetMaximumNumberOfIterations(500)
    fused = reference.Execute([sitk.GetImageFromArray(m) for m in maps])
    labels = sitk.GetArrayFromImage(fused)
    result = fuse_by_staple(maps)
    # A label of its own marks voxels that the reference leaves undecided.
    decided = labels < 4
    assert decided.mean() > 0.99
    assert (result.labels == labels)[decided].mean() > 0.999
    for index, matrix in enumerate(result.confusion):
        found = np.reshape(reference.GetConfusionMatrix(index), (-1, 4))[:4]
        np.testing.assert_allclose(matrix, found, atol=5e-3)


def test_slabs_change_nothing(rng, monkeypatch) -> None:
    truth = rng.integers(0, 3, (7, 11, 5), dtype=np.uint8)
    maps = make_raters(rng, truth.shape, truth, [0.1, 0.2, 0.3])
    expected = fuse_by_vote(maps), fuse_by_staple(maps).labels
    monkeypatch.setattr(label_fusion, '_SLAB_VOXELS', 13)
    assert np.array_equal(fuse_by_vote(maps), expected[0])
    assert np.array_equal(fuse_by_staple(maps).labels, expected[1])


def test_views_of_masks_are_fused_in_place_order(rng) -> None:
    """Members may hold their maps in another memory order."""
    truth = rng.integers(0, 3, (4, 5, 6), dtype=np.uint8)
    turned = np.asfortranarray(truth)
    assert np.array_equal(fuse_by_vote([turned, turned, truth]), truth)


def test_a_hundred_labels_and_many_members(rng) -> None:
    truth = rng.integers(0, 100, (20, 30, 30), dtype=np.uint8)
    maps = make_raters(rng, truth.shape, truth, [0.05] * 12)
    assert (fuse_by_vote(maps) == truth).all()
    assert (fuse_by_staple(maps).labels == truth).all()


@pytest.mark.parametrize(
    'maps',
    [
        [],
        [np.zeros((0, 3), np.uint8)],
        [np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8)],
        [np.zeros((2, 3), np.uint8), np.zeros((2, 3), np.int16)],
        [np.zeros((2, 3))],
        [np.full((2, 3), -1)],
    ],
)
@pytest.mark.parametrize('fuse', [fuse_by_vote, fuse_by_staple])
def test_what_cannot_be_fused(fuse, maps) -> None:
    with pytest.raises(ValueError, match='label map'):
        fuse(maps)
