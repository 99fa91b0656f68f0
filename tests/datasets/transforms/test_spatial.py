from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmmed.datasets.transforms.formatting import PackMedInputs
from mmmed.datasets.transforms.loading import LoadSlice
from mmmed.datasets.transforms.spatial import (
    RandomAffineSlice,
    RandomFlipSlice,
    build_affine,
)
from mmmed.functional.letterbox import Letterbox
from mmmed.io.png import write_image, write_label

STILL = {'angle_deg': 0.0, 'scale': 1.0, 'shift': [0.0, 0.0]}


def move(shape, points_yx, **params) -> np.ndarray:
    """Where pixels (Y, X) go, by the matrix."""
    matrix = build_affine(shape, **(STILL | params))
    points = np.asarray(points_yx, float)
    homogeneous = np.column_stack([points[:, ::-1], np.ones(len(points))])
    return (homogeneous @ matrix.T)[:, ::-1]


@pytest.mark.parametrize('direction', ['horizontal', 'vertical'])
def test_flip_mirrors_and_is_its_own_inverse(make_sample, direction):
    sample = make_sample(channels=2)
    flip = RandomFlipSlice(prob=1.0, direction=direction)
    once = flip(dict(sample))
    axis = 1 if direction == 'horizontal' else 0
    assert np.array_equal(once['img'], np.flip(sample['img'], axis))
    assert np.array_equal(once['gt_seg_map'], np.flip(sample['gt_seg_map'], axis))
    assert (once['flip'], once['flip_direction']) == (True, direction)
    swapped = {'horizontal': (2, 1, 3, 4), 'vertical': (1, 2, 4, 3)}[direction]
    assert once['img_padding_size'] == swapped
    twice = flip(dict(once))
    assert np.array_equal(twice['img'], sample['img'])
    assert np.array_equal(twice['gt_seg_map'], sample['gt_seg_map'])
    assert twice['img_padding_size'] == sample['img_padding_size']


@pytest.mark.parametrize(
    ('plane', 'axis'), [('axial', 1), ('coronal', 1), ('sagittal', None)]
)
def test_left_right_follows_the_plane(make_sample, plane, axis):
    sample = make_sample(channels=4) | {'plane': plane}
    out = RandomFlipSlice(prob=1.0, direction='left-right')(dict(sample))
    expected = sample['img'] if axis is None else np.flip(sample['img'], axis)
    assert np.array_equal(out['img'], expected)
    assert out['flip'] is (axis is not None)
    assert out['flip_direction'] == (None if axis is None else 'horizontal')
    with pytest.raises(ValueError, match=r"needs results\['plane'\]"):
        RandomFlipSlice(direction='left-right')(make_sample())


def test_many_channels_move_like_one(make_sample):
    sample = make_sample(channels=6)
    params = STILL | {'angle_deg': 20.0, 'shift': [1.5, -2.0]}
    moved = RandomAffineSlice().apply(dict(sample), params)['img']
    assert moved.shape == sample['img'].shape
    for channel in range(6):
        part = dict(sample, img=sample['img'][..., channel : channel + 1])
        alone = RandomAffineSlice().apply(part, params)['img']
        assert np.abs(moved[..., channel].astype(int) - alone[..., 0]).max() <= 1


def test_no_flip_says_so(make_sample):
    sample = make_sample()
    out = RandomFlipSlice(prob=0.0)(dict(sample))
    assert (out['flip'], out['flip_direction']) == (False, None)
    assert out['img'] is sample['img']
    assert 'applied' not in out


def test_label_map_of_another_grid_stays(make_sample):
    sample = make_sample() | {'seg_fields': []}
    for transform in (RandomFlipSlice(prob=1.0), RandomAffineSlice(angle_deg=40)):
        assert transform(dict(sample))['gt_seg_map'] is sample['gt_seg_map']


def test_refuses_a_wrong_direction():
    with pytest.raises(ValueError, match="direction is 'diagonal'"):
        RandomFlipSlice(direction='diagonal')


@pytest.mark.parametrize(
    ('params', 'expected'),
    [
        # Centre of (25, 17) is (12, 8); the point lies 3 to its right.
        ({}, (12, 11)),
        ({'shift': [2, -5]}, (14, 6)),
        ({'scale': 2.0}, (12, 14)),
        ({'angle_deg': 90.0}, (9, 8)),  # counter-clockwise: right goes up
        ({'angle_deg': -90.0}, (15, 8)),
        ({'angle_deg': 180.0}, (12, 5)),
        ({'angle_deg': 90.0, 'scale': 2.0, 'shift': [1, 0]}, (7, 8)),
    ],
)
def test_a_point_moves_where_it_must(make_sample, params, expected):
    assert move((25, 17), [(12, 11)], **params) == pytest.approx(np.array([expected]))
    img = np.zeros((25, 17, 1), np.uint8)
    seg = np.zeros((25, 17), np.uint8)
    img[12, 11], seg[12, 11] = 200, 1
    sample = make_sample() | {'img': img, 'gt_seg_map': seg}
    out = RandomAffineSlice().apply(sample, STILL | params)
    assert np.unravel_index(out['img'].argmax(), (25, 17)) == expected
    assert out['img'].max() == 200
    assert out['gt_seg_map'][expected] == 1


def test_still_parameters_change_nothing(make_sample):
    sample = make_sample(channels=2)
    out = RandomAffineSlice().apply(dict(sample), STILL)
    assert np.array_equal(out['img'], sample['img'])
    assert np.array_equal(out['gt_seg_map'], sample['gt_seg_map'])


def test_blob_moves_by_fractions_of_a_pixel(make_sample, rng):
    ys, xs = np.mgrid[:120, :90]
    for _ in range(5):
        params = {
            'angle_deg': rng.uniform(-30, 30),
            'scale': rng.uniform(0.8, 1.25),
            'shift': rng.uniform(-6, 6, 2),
        }
        y, x = rng.uniform(50, 70), rng.uniform(35, 55)
        blob = np.exp(-((ys - y) ** 2 + (xs - x) ** 2) / 32)
        img = np.rint(250 * blob).astype(np.uint8)[..., None]
        sample = make_sample() | {'img': img, 'seg_fields': []}
        out = RandomAffineSlice().apply(sample, params)['img'][..., 0].astype(float)
        found = (out * ys).sum() / out.sum(), (out * xs).sum() / out.sum()
        # Interpolation weights are multiples of 1/32 and grey levels are rounded.
        (expected,) = move((120, 90), [(y, x)], **params)
        assert found == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize('fill', [0, 255, 3])
@pytest.mark.parametrize('case', ['lesion', 'full', 'border', 'empty', 'letterboxed'])
def test_labels_are_those_of_the_nearest_pixel(rng, fill, case):
    seg = np.zeros((41, 30), np.uint8)
    if case == 'full':
        seg[:] = rng.integers(0, 4, seg.shape)
    elif case == 'letterboxed':
        seg[:, :4] = seg[:, -3:] = 255
        seg[10:14, 8:10] = 1
    elif case == 'lesion':
        seg[20:24, 6:9] = 2
    elif case == 'border':
        seg[0], seg[:, -1] = 1, 2
    ys, xs = np.mgrid[:41, :30]
    grid = np.column_stack([ys.ravel(), xs.ravel()])
    for _ in range(10):
        params = {
            'angle_deg': rng.uniform(-180, 180),
            'scale': rng.uniform(0.5, 2),
            'shift': list(rng.uniform(-10, 10, 2)),
        }
        sample = {
            'img': seg[..., None],
            'gt_seg_map': seg,
            'seg_fields': ['gt_seg_map'],
        }
        out = RandomAffineSlice(seg_fill=fill).apply(sample, params)['gt_seg_map']
        # Source of every output pixel, by the inverse of the matrix.
        matrix = np.vstack([build_affine((41, 30), **params), [0, 0, 1]])
        inverse = np.linalg.inv(matrix)
        source = np.column_stack([grid[:, ::-1], np.ones(len(grid))]) @ inverse.T
        source = source[:, 1::-1]
        nearest = np.rint(source).astype(int)
        inside = ((nearest >= 0) & (nearest < (41, 30))).all(axis=1)
        expected = np.full(len(grid), fill)
        expected[inside] = seg[tuple(nearest[inside].T)]
        # OpenCV rounds source positions to 1/1024 pixel: leave out what is that
        # close to a tie between two pixels.
        clear = (np.abs(np.abs(source - nearest) - 0.5) > 4e-3).all(axis=1)
        assert clear.mean() > 0.95
        assert np.array_equal(out.ravel()[clear], expected[clear])


def test_affine_updates_the_pixel_size_and_drops_the_margins(make_sample):
    out = RandomAffineSlice().apply(make_sample(), STILL | {'scale': 2.0})
    assert out['img_spacing'] == [0.25, 0.4]
    assert out['spacing'] == [0.5, 0.8]
    assert 'img_padding_size' not in out


def test_affine_draws_within_its_ranges(make_sample):
    affine = RandomAffineSlice(angle_deg=20, scale=(0.5, 1.5), shift=0.25)
    rng = np.random.default_rng(0)
    drawn = [affine.draw(make_sample(), rng) for _ in range(4000)]
    angles = np.array([d['angle_deg'] for d in drawn])
    shifts = np.array([d['shift'] for d in drawn])
    scales = np.array([d['scale'] for d in drawn])
    assert (angles.min(), angles.max()) == pytest.approx((-20, 20), abs=0.1)
    # A quarter of the 24 rows and the 16 columns.
    assert np.abs(shifts).max(axis=0) == pytest.approx([6, 4], abs=0.05)
    assert (scales.min(), scales.max()) == pytest.approx((0.5, 1.5), abs=0.01)
    # Log-uniform: half of the draws lie below the geometric mean.
    assert np.median(scales) == pytest.approx(np.sqrt(0.75), abs=0.03)


@pytest.mark.parametrize(
    'options', [{'angle_deg': -1}, {'angle_deg': 181}, {'scale': (2, 1)}, {'shift': 2}]
)
def test_affine_refuses(options):
    with pytest.raises(ValueError, match='expected'):
        RandomAffineSlice(**options)


@pytest.mark.parametrize('flip_prob', [0.0, 1.0])
@pytest.mark.parametrize(
    ('shape', 'size'),
    [((64, 48), (32, 33)), ((48, 64), (33, 32)), ((30, 20), (60, 47))],
)
def test_host_brings_predictions_back_to_the_label_map(
    tmp_path, shape, size, flip_prob
):
    """A perfect prediction on the letterboxed, flipped grid scores perfectly."""
    from mmseg.models.segmentors.base import BaseSegmentor

    rng = np.random.default_rng(2)
    coarse = rng.integers(0, 2, (shape[0] // 2, shape[1] // 2), dtype=np.uint8)
    label = np.repeat(np.repeat(coarse, 2, 0), 2, 1)
    write_image(tmp_path / 'img.png', label * 200)
    write_label(tmp_path / 'seg.png', label)
    sample = {
        'img_path': tmp_path / 'img.png',
        'seg_map_path': tmp_path / 'seg.png',
        'seg_fields': [],
        'rng': rng,
    }
    sample = LoadSlice(size=size, resize_seg=False)(sample)
    packed = PackMedInputs()(RandomFlipSlice(prob=flip_prob)(sample))
    target = packed['data_samples'].gt_sem_seg.data
    assert np.array_equal(target[0].numpy(), label)

    # A network that finds white: its logits lie on the grid of its input.
    logits = packed['inputs'][None].float() / 100 - 1
    host = SimpleNamespace(
        align_corners=False, decode_head=SimpleNamespace(threshold=0.5)
    )
    (result,) = BaseSegmentor.postprocess_result(host, logits, [packed['data_samples']])
    pred = result.pred_sem_seg.data
    assert pred.shape == target.shape
    box = Letterbox.fit(shape, size)
    if min(box.scale) in (0.5, 2.0):
        assert torch.equal(pred.long(), target)
    else:
        assert (pred.long() == target).float().mean() > 0.9
