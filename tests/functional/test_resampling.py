import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmmed.functional.geometry import compute_index_map, make_affine, plan_spacing
from mmmed.functional.resampling import resample_image, resample_labels


def scale_map(scales, offsets=(0, 0, 0)):
    index_map = np.diag([*scales, 1.0])
    index_map[:3, 3] = offsets
    return index_map


def turned(angle=0.2, center=(3, 4, 5)):
    """A rotation about the first axis: no output axis is one input axis."""
    c, s = np.cos(angle), np.sin(angle)
    index_map = np.eye(4)
    index_map[1:3, 1:3] = [[c, -s], [s, c]]
    index_map[:3, 3] = np.subtract(center, index_map[:3, :3] @ center)
    return index_map


RAMP = np.add.outer(np.add.outer(100 * np.arange(7.0), 10 * np.arange(9.0)),
                    np.arange(11.0)).astype(np.float32)  # fmt: skip


@pytest.mark.parametrize('mode', ['linear', 'nearest', 'cubic'])
def test_the_same_grid_gives_the_same_values(mode, rng):
    array = rng.normal(size=(4, 5, 6)).astype(np.float32)
    same = resample_image(array, np.eye(4), array.shape, mode=mode)
    np.testing.assert_allclose(same, array, atol=0 if mode != 'cubic' else 1e-5)


@pytest.mark.parametrize('dtype', [np.int16, np.uint8, bool, np.float32, np.float64])
def test_linear_halfway_is_the_mean(dtype):
    array = np.array([0, 1, 0, 1, 1, 0, 1, 1], dtype).reshape(2, 2, 2)
    point = resample_image(array, scale_map((1, 1, 1), (0.5, 0.5, 0.5)), (1, 1, 1))
    assert point.dtype == (np.float64 if dtype == np.float64 else np.float32)
    assert point[0, 0, 0] == 5 / 8


@pytest.mark.parametrize('index_map', [scale_map((0.5, 0.7, 1.3), (0.2, 1, 0)),
                                       scale_map((1.5, 2.0, 0.4), (0.1, 0, 3)),
                                       turned()])  # fmt: skip
def test_a_ramp_is_reproduced(index_map):
    shape = (3, 4, 5)
    result = resample_image(RAMP, index_map, shape, fill=np.nan)
    z, y, x = np.indices(shape).reshape(3, -1)
    places = index_map @ [z, y, x, np.ones_like(z)]
    expected = 100 * places[0] + 10 * places[1] + places[2]
    sizes = np.reshape(RAMP.shape, (3, 1))
    inside = ((places[:3] >= 0) & (places[:3] <= sizes - 1)).all(axis=0)
    assert inside.sum() >= 40
    np.testing.assert_allclose(result.ravel()[inside], expected[inside], atol=2e-3)


def test_half_a_voxel_beyond_the_edge_is_the_edge_and_more_is_fill():
    array = np.arange(1.0, 5.0).reshape(1, 1, 4)
    index_map = scale_map((1, 1, 0.25), (0, 0, -0.75))
    line = resample_image(array, index_map, (1, 1, 20), fill=-9)[0, 0]
    # Positions -0.75, -0.5, -0.25, 0, 0.25, ...
    np.testing.assert_array_equal(line[:5], [-9, 1, 1, 1, 1.25])
    np.testing.assert_array_equal(line[-4:], [4, 4, -9, -9])


def test_nearest_rounds_halves_up():
    array = np.arange(4).reshape(1, 1, 4)
    index_map = scale_map((1, 1, 0.5))
    line = resample_image(array, index_map, (1, 1, 7), mode='nearest')[0, 0]
    assert line.tolist() == [0, 1, 1, 2, 2, 3, 3]
    assert line.dtype == array.dtype


def test_turned_nearest_takes_only_values_that_are_there(rng):
    array = rng.integers(0, 5, (6, 8, 10)).astype(np.int16)
    result = resample_image(array, turned(), (6, 8, 10), mode='nearest', fill=-7)
    assert set(np.unique(result)) <= {0, 1, 2, 3, 4, -7}
    assert result[3, 4, 5] == array[3, 4, 5]  # the center of rotation


def test_labels_linear_by_hand():
    # Between 1 | 1 | 2 | 2: shares of label 2 at 1, 1.25, 1.5, 1.75, 2.
    labels = np.array([1, 1, 2, 2], np.uint8).reshape(1, 1, 4)
    index_map = scale_map((1, 1, 0.25), (0, 0, 1))
    line = resample_labels(labels, index_map, (1, 1, 5), mode='linear')[0, 0]
    assert line.tolist() == [1, 1, 1, 2, 2]  # the smaller label on the tie
    assert line.dtype == np.uint8


def test_labels_linear_lets_the_largest_share_win_and_fills_outside():
    labels = np.zeros((1, 2, 2), np.int32)
    labels[0] = [[1, 2], [3, 1]]
    center = resample_labels(labels, scale_map((1, 1, 1), (0, 0.5, 0.5)), (1, 1, 1),
                             mode='linear')  # fmt: skip
    assert center.item() == 1  # half of it; 2 and 3 have a quarter each
    away = resample_labels(labels, scale_map((1, 1, 1), (0, 9, 0)), (1, 1, 1),
                           mode='linear', fill=255)  # fmt: skip
    assert away.item() == 255


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_no_label_is_invented_and_a_constant_stays(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 9, 3))
    labels = rng.choice([0, 3, 7], size=shape).astype(np.uint8)
    affine = make_affine(rng.uniform(0.5, 4, 3))
    new_shape, planned = plan_spacing(shape, affine, rng.uniform(0.5, 4, 3))
    index_map = compute_index_map(planned, affine)
    for mode in ('nearest', 'linear'):
        result = resample_labels(labels, index_map, new_shape, mode=mode)
        assert result.shape == new_shape
        assert set(np.unique(result)) <= set(np.unique(labels)) | {0}
    constant = resample_image(np.full(shape, 5, np.int16), index_map, new_shape, fill=5)
    np.testing.assert_array_equal(constant, 5)


@pytest.mark.parametrize('mode', ['linear', 'nearest', 'cubic'])
@pytest.mark.parametrize('oblique', [False, True])
def test_equal_to_simpleitk(mode, oblique, rng):
    sitk = pytest.importorskip('SimpleITK', reason='parity reference')
    array = rng.normal(100, 300, (12, 20, 16)).astype(np.float32)
    index_map = scale_map((0.8, 1.3, 0.61), (-0.7, 2.2, -0.3))
    if oblique:
        index_map = index_map @ turned(0.31)
    shape = (14, 15, 22)
    image = sitk.GetImageFromArray(array)  # unit grid: physical points are indices
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize(shape[::-1])
    resampler.SetDefaultPixelValue(-50)
    kinds = {
        'linear': sitk.sitkLinear,
        'nearest': sitk.sitkNearestNeighbor,
        'cubic': sitk.sitkBSpline,
    }
    resampler.SetInterpolator(kinds[mode])
    flip = np.array([2, 1, 0])
    matrix = index_map[:3, :3][np.ix_(flip, flip)]
    transform = sitk.AffineTransform(
        matrix.ravel().tolist(), index_map[flip, 3].tolist()
    )
    resampler.SetTransform(transform)
    expected = sitk.GetArrayFromImage(resampler.Execute(image))
    result = resample_image(array, index_map, shape, mode=mode, fill=-50)
    if mode == 'cubic':  # ITK extrapolates between the outermost centers and edges
        places = index_map[:3, :3] @ np.indices(shape).reshape(3, -1)
        places += index_map[:3, 3:]
        sizes = np.reshape(array.shape, (3, 1))
        inside = ((places >= 0) & (places <= sizes - 1)).all(axis=0).reshape(shape)
        result, expected = result[inside], expected[inside]
        assert len(result) > 1000
    np.testing.assert_allclose(result, expected, atol=2e-2 if oblique else 1e-3)
    if mode == 'nearest':
        np.testing.assert_array_equal(result, expected)


def test_what_cannot_be_resampled_is_refused():
    array = np.zeros((2, 2, 2))
    with pytest.raises(ValueError, match='mode is'):
        resample_image(array, np.eye(4), (1, 1, 1), mode='lanczos')
    with pytest.raises(ValueError, match=r'expected \(Z, Y, X\)'):
        resample_image(array[0], np.eye(4), (1, 1, 1))
    with pytest.raises(ValueError, match='expected integers'):
        resample_labels(array, np.eye(4), (1, 1, 1))
