import numpy as np
import pytest

from mmmed.phantoms.stroke_lesions import draw_lesions, find_margin_box
from mmmed.phantoms.stroke_masks import LesionMask
from mmmed.phantoms.stroke_plan import Part, SubjectPlan


def make_plan(*parts):
    return SubjectPlan(0, 1, 1, parts)


def measure_x_mm(space, mask):
    x_mm = space.affine[0, 2] * np.arange(space.shape[2]) + space.affine[0, 3]
    return x_mm[np.flatnonzero(mask.any(axis=(0, 1)))]


@pytest.mark.parametrize('mirror', [False, True])
@pytest.mark.parametrize('voxels', [1, 7, 40])
def test_a_generated_lesion_has_the_wanted_size_and_side(space, rng, mirror, voxels):
    part = Part('generated', -1, voxels * 1000.0, mirror)
    lesion = draw_lesions(rng, make_plan(part), space, [])
    assert lesion.sum() == voxels
    assert not (lesion & ~space.parenchyma).any()
    sides = measure_x_mm(space, lesion)
    assert (sides > 0).all() if mirror else (sides < 0).all()


@pytest.fixture
def raw(space):
    """A box of 5 x 5 x 4 voxels in the left hemisphere."""
    affine = space.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ [6, 9, 6]
    return LesionMask('box', np.ones((5, 5, 4), bool), affine, 100_000.0)


def test_a_piece_lies_inside_the_mask_it_is_cut_from(space, rng, raw):
    lesion = draw_lesions(rng, make_plan(Part('piece', 0, 2e4, False)), space, [raw])
    assert lesion.sum() == 20
    assert (measure_x_mm(space, lesion) < 0).all()


def test_a_whole_mask_keeps_about_its_size(space, rng, raw):
    whole = draw_lesions(rng, make_plan(Part('whole', 0, 1e5, True)), space, [raw])
    assert 60 <= whole.sum() <= 140
    assert (measure_x_mm(space, whole) > -15).all()


def test_a_small_copy_is_never_empty(space, rng, raw):
    for _ in range(5):
        small = draw_lesions(rng, make_plan(Part('small', 0, 1e3, False)), space, [raw])
        assert 1 <= small.sum() <= 20
        assert (small <= space.brain).all()


def test_a_margin_stays_in_the_volume():
    mask = np.zeros((5, 6, 7), bool)
    assert find_margin_box(mask, 2) is None
    mask[1, 3, 6] = True
    assert find_margin_box(mask, 2) == (slice(0, 4), slice(1, 6), slice(4, 7))
