import numpy as np
import pytest

from mmmed.structures import Volume

# Array axes Z, Y, X to inferior, posterior and right; 3 x 0.5 x 0.75 mm.
AFFINE = np.array(
    [[0, 0, 0.75, -10], [0, -0.5, 0, 20], [-3, 0, 0, 30], [0, 0, 0, 1]], float
)


@pytest.fixture
def volume():
    array = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    return Volume(array, (3, 0.5, 0.75), AFFINE)


def world(volume, index):
    return volume.affine @ [*index, 1]


def test_default_geometry_is_superior_anterior_right():
    volume = Volume(np.zeros((2, 3, 4)), (3, 0.5, 0.75))
    assert volume.orientation == 'SAR'
    np.testing.assert_array_equal(world(volume, (1, 2, 3)), [2.25, 1, 3, 1])


def test_orientation_names_the_array_axes(volume):
    assert volume.orientation == 'IPR'
    assert volume.shape == (2, 3, 4)


def test_channels_are_not_space():
    volume = Volume(np.zeros((7, 2, 3, 4)), (1, 1, 1))
    assert volume.shape == (2, 3, 4)


def test_reorient_moves_each_voxel_and_keeps_its_place(volume):
    flipped = volume.reorient('SPL')
    assert flipped.orientation == 'SPL'
    assert flipped.spacing == (3, 0.5, 0.75)
    assert flipped.array[0, 1, 0] == volume.array[1, 1, 3]
    np.testing.assert_array_equal(world(flipped, (0, 1, 0)), world(volume, (1, 1, 3)))


@pytest.mark.parametrize('orientation', ['RAS', 'LPI', 'SAR', 'PIR', 'AIL'])
def test_reorient_permutes_spacing_and_goes_back_exactly(volume, orientation):
    moved = volume.reorient(orientation)
    assert moved.orientation == orientation
    np.testing.assert_allclose(
        np.linalg.norm(moved.affine[:3, :3], axis=0), moved.spacing
    )
    back = moved.reorient('IPR')
    np.testing.assert_array_equal(back.array, volume.array)
    np.testing.assert_allclose(back.affine, volume.affine, atol=1e-12)


def test_reorient_leaves_channels_first(rng):
    array = rng.integers(0, 9, (2, 3, 4, 5))
    moved = Volume(array, (3, 2, 1)).reorient('RAS')
    assert moved.array.shape == (2, 5, 4, 3)
    assert moved.spacing == (1, 2, 3)
    np.testing.assert_array_equal(moved.array, array.transpose(0, 3, 2, 1))


def test_an_oblique_axis_is_named_after_the_nearest():
    angle = np.deg2rad(30)
    affine = np.eye(4)
    affine[:3, :3] = np.array(
        [[0, 0, 1], [np.sin(angle), np.cos(angle), 0], [np.cos(angle), 0, 0]]
    )
    affine[2, 1] = -np.sin(angle)
    assert Volume(np.zeros((2, 3, 4)), (1, 1, 1), affine).orientation == 'SAR'


@pytest.mark.parametrize('orientation', ['RA', 'RAA', 'RLS', 'XYZ', 'sar', 'RASR'])
def test_reorient_wants_three_patient_axes(volume, orientation):
    with pytest.raises(ValueError, match='expected one of R/L'):
        volume.reorient(orientation)


@pytest.mark.parametrize(
    ('array', 'spacing', 'affine', 'message'),
    [
        (np.zeros((2, 3)), (1, 1, 1), None, 'shape'),
        (np.zeros((1, 1, 2, 3, 4)), (1, 1, 1), None, 'shape'),
        ([[[1]]], (1, 1, 1), None, 'shape'),
        (np.zeros((2, 0, 4)), (1, 1, 1), None, 'some voxels'),
        (np.zeros((2, 3, 4), complex), (1, 1, 1), None, 'real numbers'),
        (np.zeros((2, 3, 4)), (1, 1), None, 'spacing'),
        (np.zeros((2, 3, 4)), (1, 0, 1), None, 'spacing'),
        (np.zeros((2, 3, 4)), (1, np.nan, 1), None, 'spacing'),
        (np.zeros((2, 3, 4)), (1, 1, 1), np.eye(3), 'affine'),
        (np.zeros((2, 3, 4)), (1, 1, 1), np.full((4, 4), np.nan), 'affine'),
        (np.zeros((2, 3, 4)), (2, 1, 1), np.eye(4), 'steps'),
        (np.zeros((2, 3, 4)), (1, 1, 1), np.ones((4, 4)), 'last row'),
    ],
)
def test_a_bad_volume_is_refused(array, spacing, affine, message):
    with pytest.raises(ValueError, match=message):
        Volume(array, spacing, affine)


def test_two_parallel_axes_are_refused():
    affine = np.array([[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]], float)
    with pytest.raises(ValueError, match='not invertible'):
        Volume(np.zeros((2, 3, 4)), (1, 1, 1), affine)


def test_geometry_cannot_be_changed_by_accident(volume):
    with pytest.raises(ValueError, match='read-only'):
        volume.affine[0, 0] = 5


OBLIQUE = np.array(
    [
        [-0.013, 0.41, 0.7321, -80.123],
        [-2.9, -0.3123, 0.11, 17.77],
        [0.2871, 0.6001, -0.3333, 5.0001],
        [0, 0, 0, 1],
    ]
)


@pytest.mark.parametrize('path', [['SAR'], ['RAS', 'LPI'], ['AIL', 'SPL', 'PIR']])
def test_any_way_around_ends_at_the_same_bits(rng, path):
    spacing = np.linalg.norm(OBLIQUE[:3, :3], axis=0)
    volume = Volume(rng.normal(size=(3, 4, 5)), tuple(spacing), OBLIQUE)
    moved = volume
    for orientation in path:
        moved = moved.reorient(orientation)
    mask = moved.replace_array(moved.array > 0)
    for there_and_back in (moved, mask):
        back = there_and_back.reorient(volume.orientation)
        np.testing.assert_array_equal(back.affine, OBLIQUE)
        assert back.spacing == volume.spacing
    np.testing.assert_array_equal(back.array, volume.array > 0)


def test_reorient_keeps_no_values_alive(volume):
    moved = volume.reorient('SAR')
    first, _, _ = moved._parent
    assert first.array.strides == (0, 0, 0)


def test_reorient_is_canonical_by_default(volume):
    assert volume.reorient().orientation == 'SAR'


def test_replace_array_wants_the_same_space(volume):
    channels = volume.replace_array(np.zeros((2, 2, 3, 4)))
    assert channels.shape == volume.shape
    with pytest.raises(ValueError, match='resample it to the grid first'):
        volume.replace_array(np.zeros((2, 3, 5)))


def test_resample_halves_the_spacing(volume):
    fine = volume.resample((1.5, 0.25, 0.375))
    assert fine.shape == (4, 6, 8)
    assert fine.orientation == volume.orientation
    # The center of the field of view stays, and with it the mean value.
    np.testing.assert_allclose(
        world(fine, (1.5, 2.5, 3.5)), world(volume, (0.5, 1, 1.5))
    )
    assert fine.array.mean() == pytest.approx(volume.array.mean(), abs=1e-5)


def test_resample_to_another_orientation_is_the_reorientation(volume):
    other = volume.reorient('RAS')
    moved = volume.resample_to(other)
    np.testing.assert_allclose(moved.array, other.array, atol=1e-5)
    np.testing.assert_array_equal(moved.affine, other.affine)


def test_resample_to_fills_what_lies_outside(volume):
    affine = AFFINE.copy()
    affine[0, 3] += 1.5  # two voxels to the right
    other = Volume(np.zeros((2, 3, 4)), volume.spacing, affine)
    moved = volume.resample_to(other, fill=-1)
    np.testing.assert_allclose(moved.array[..., :2], volume.array[..., 2:], atol=1e-5)
    np.testing.assert_array_equal(moved.array[..., 2:], -1)


def test_resampled_labels_keep_type_and_channels_stay(rng):
    labels = rng.choice([0, 2, 9], (2, 4, 5, 6)).astype(np.uint8)
    fine = Volume(labels, (3, 2, 1)).resample((1, 1, 1), mode='linear', labels=True)
    assert fine.array.shape == (2, 12, 10, 6)
    assert fine.array.dtype == np.uint8
    assert set(np.unique(fine.array)) == {0, 2, 9}


def test_equal_grids_pass_and_the_difference_is_told(volume):
    mask = volume.replace_array(volume.array > 3)
    volume.check_grid(mask)
    affine = AFFINE.copy()
    affine[2, 3] += 0.25
    shifted = Volume(volume.array, volume.spacing, affine)
    volume.check_grid(shifted, tolerance_mm=0.3)
    with pytest.raises(ValueError, match=r'0\.25 mm apart \(largest affine .* 0\.25\)'):
        volume.check_grid(shifted)


def test_other_shapes_and_orientations_are_told_apart(volume):
    with pytest.raises(ValueError, match=r'grids of \(2, 3, 4\) and \(2, 3, 5\)'):
        volume.check_grid(Volume(np.zeros((2, 3, 5)), volume.spacing))
    with pytest.raises(ValueError, match='IPR and SAR differ, reorient one'):
        volume.check_grid(Volume(np.zeros((2, 3, 4)), volume.spacing))
