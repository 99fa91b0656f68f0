import itertools

import numpy as np
import pytest
from scipy.ndimage import binary_erosion, binary_fill_holes

from mmmed.phantoms import make_cohort, make_head
from mmmed.phantoms.hemorrhage import SUBTYPES


@pytest.fixture(scope='module')
def cohort():
    return list(make_cohort(6, slices=6, size=128, seed=0))


def find_cavity(hu):
    bone = hu > 300
    cavity = [binary_fill_holes(b) & ~b for b in bone]
    return np.stack([binary_erosion(c, iterations=2) for c in cavity])


def test_the_same_seed_gives_the_same_patient_and_another_another():
    a, b, c = (make_head(3, slices=3, size=64, seed=s) for s in (5, 5, 6))
    np.testing.assert_array_equal(a.volume.array, b.volume.array)
    assert (a.age_years, a.sex) == (b.age_years, b.sex)
    assert np.abs(a.volume.array.astype(int) - c.volume.array).mean() > 20


def test_a_patient_does_not_depend_on_how_many_there_are():
    few = list(make_cohort(2, slices=3, size=64, seed=1))
    many = list(itertools.islice(make_cohort(9, slices=3, size=64, seed=1), 2))
    for a, b in zip(few, many, strict=True):
        np.testing.assert_array_equal(a.volume.array, b.volume.array)
        np.testing.assert_array_equal(a.mask, b.mask)


def test_shape_geometry_and_type(cohort):
    volume = cohort[0].volume
    assert volume.array.shape == cohort[0].mask.shape == (6, 128, 128)
    assert volume.array.dtype == np.int16
    assert volume.orientation == 'SPL'
    np.testing.assert_allclose(volume.spacing, (15.2, 1.875, 1.875))


def test_a_cohort_has_negatives_and_every_subtype(cohort):
    positive = [bool(head.mask.any()) for head in cohort]
    assert positive == [True, True, False, True, True, False]
    seen = frozenset().union(*(s for head in cohort for s in head.subtypes))
    assert seen == frozenset(SUBTYPES)


def test_subtypes_and_mask_agree_in_every_slice(cohort):
    for head in cohort:
        for mask, subtypes in zip(head.mask, head.subtypes, strict=True):
            assert mask.any() == bool(subtypes)
        assert set(np.unique(head.mask)) <= {0, 1}


def test_tissues_have_their_hounsfield_units(cohort):
    for head in cohort:
        hu = head.volume.array
        brain = find_cavity(hu) & (head.mask == 0)
        assert 24 <= np.median(hu[brain]) <= 38
        assert np.percentile(hu[:, :4, :4], 99) < -950
        assert np.percentile(hu, 99.5) > 700
        if head.mask.any():
            blood = find_cavity(hu) & (head.mask == 1)
            assert 52 <= np.median(hu[blood]) <= 82


def test_bleeding_lies_inside_the_skull(cohort):
    for head in cohort:
        bone = head.volume.array > 300
        filled = np.stack([binary_fill_holes(b) for b in bone])
        assert not (head.mask.astype(bool) & ~filled).any()


def test_healthy_heads_hold_bright_decoys(cohort):
    """A threshold alone must not find hemorrhage: negatives have bright pixels too."""
    for head in (cohort[2], cohort[5]):
        cavity = find_cavity(head.volume.array)
        assert (head.volume.array[cavity] > 55).sum() > 10


def test_an_epidural_bleeding_is_a_thick_lens_and_a_subdural_one_a_long_crescent():
    def measure(subtype):
        widths = []
        for number in range(1, 9):
            head = make_head(number, subtypes=[subtype], slices=6, size=128)
            slice_ = head.mask[head.mask.sum(axis=(1, 2)).argmax()].astype(bool)
            layers = 0
            area = slice_.sum()
            while slice_.any():
                slice_ = binary_erosion(slice_)
                layers += 1
            widths.append(area / layers)
        return np.median(widths)

    # Area over half thickness, in pixels: about the length along the skull.
    assert measure('subdural') > 1.5 * measure('epidural')


@pytest.mark.parametrize('subtype', SUBTYPES)
def test_every_subtype_shows_in_most_heads(subtype):
    heads = [make_head(n, subtypes=[subtype], slices=8, size=64) for n in range(1, 7)]
    assert sum(bool(head.mask.any()) for head in heads) >= 5
    assert all(s <= {subtype} for head in heads for s in head.subtypes)


def test_a_fracture_is_said_to_be_where_the_bone_is_open():
    heads = (make_head(n, subtypes=['epidural'], slices=6, size=128) for n in range(9))
    assert any(any(head.fracture) for head in heads)


@pytest.mark.parametrize(
    'change', [{'patients': 0}, {'slices': 1}, {'size': 31}, {'seed': -1}]
)
def test_a_number_that_is_too_small_is_named(change):
    with pytest.raises(ValueError, match=f'{next(iter(change))} is .*expected'):
        next(make_cohort(**change))


def test_an_unknown_subtype_is_named():
    with pytest.raises(ValueError, match="'chronic', expected one of"):
        make_head(1, subtypes=['chronic'], slices=2, size=32)
