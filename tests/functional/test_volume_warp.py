"""Warps with answers known from geometry, and cuts that change nothing."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmmed.functional.volume_warp import (
    IGNORE_LABEL,
    VolumeWarp,
    build_matrix,
    draw_control,
    find_source_box,
    warp_volumes,
)

SHAPE = (24, 31, 28)


def make_ball(shape, spacing, center_mm, radius_mm):
    axes = [np.arange(n) * mm for n, mm in zip(shape, spacing, strict=True)]
    place = np.stack(np.meshgrid(*axes, indexing='ij'))
    offset = place - np.asarray(center_mm)[:, None, None, None]
    return (offset**2).sum(axis=0) <= radius_mm**2


def apply(img, seg, warp, size):
    img = torch.as_tensor(np.ascontiguousarray(img), dtype=torch.float32)[None, None]
    seg = torch.as_tensor(np.ascontiguousarray(seg), dtype=torch.uint8)[None]
    patch, labels = warp_volumes(img, seg, [warp], size)
    return patch[0, 0].numpy(), labels[0].numpy()


def test_a_cut_is_the_values_themselves(rng):
    img = rng.random(SHAPE)
    seg = rng.integers(0, 3, SHAPE)
    warp = VolumeWarp(np.eye(3), (10.5, 12.0, 9.5))
    assert warp.is_cut
    patch, labels = apply(img, seg, warp, (8, 9, 6))
    part = (slice(7, 15), slice(8, 17), slice(7, 13))
    np.testing.assert_array_equal(patch, img[part].astype(np.float32))
    np.testing.assert_array_equal(labels, seg[part])


def test_a_cut_beyond_the_border_is_zero_and_ignored():
    warp = VolumeWarp(np.eye(3), (0.5, 14.5, 29.5))
    patch, labels = apply(np.ones(SHAPE), np.ones(SHAPE), warp, (4, 2, 10))
    assert patch.sum() == (labels == 1).sum() == 3 * 2 * 3
    assert (labels == IGNORE_LABEL).sum() == 80 - 18
    assert find_source_box(warp, (4, 2, 10)) == ((-1, 3), (14, 16), (25, 35))


def test_a_quarter_turn_moves_every_voxel_to_its_place(rng):
    img = rng.random((9, 11, 11))
    seg = rng.integers(0, 4, (9, 11, 11))
    warp = VolumeWarp(build_matrix((90, 0, 0), (1, 1, 1), (1, 1, 1)), (4.0, 5.0, 5.0))
    patch, labels = apply(img, seg, warp, (9, 11, 11))
    # Patch (z, y, x) shows source (z, -x, y) about the middle.
    np.testing.assert_allclose(patch, np.rot90(img, 1, axes=(2, 1)), atol=1e-5)
    np.testing.assert_array_equal(labels, np.rot90(seg, 1, axes=(2, 1)))


@pytest.mark.parametrize('spacing', [(1.0, 1.0, 1.0), (3.0, 1.0, 0.8)])
def test_a_ball_about_the_middle_stays_when_it_turns(spacing):
    shape = tuple(int(48 / mm) for mm in spacing)
    middle = [(n - 1) / 2 for n in shape]
    ball = make_ball(shape, spacing, np.multiply(middle, spacing), 17.0)
    matrix = build_matrix((30, -50, 70), (1, 1, 1), spacing)
    _, labels = apply(ball, ball, VolumeWarp(matrix, tuple(middle)), shape)
    labels = labels == 1
    overlap = 2 * (labels & ball).sum() / (labels.sum() + ball.sum())
    # In voxels it would not be a ball that turns.
    assert overlap > 0.95
    assert labels.sum() == pytest.approx(ball.sum(), rel=0.02)


def test_magnification_is_in_millimetres_and_multiplies_the_volume():
    spacing = (2.0, 1.0, 1.0)
    shape = (30, 60, 60)
    middle = tuple((n - 1) / 2 for n in shape)
    ball = make_ball(shape, spacing, np.multiply(middle, spacing), 12.0)
    matrix = build_matrix((0, 0, 0), (1.5, 1.5, 1.5), spacing)
    _, labels = apply(ball, ball, VolumeWarp(matrix, middle), shape)
    assert (labels == 1).sum() == pytest.approx(1.5**3 * ball.sum(), rel=0.03)


def test_a_patch_of_another_spacing_is_resampled_once():
    # A ramp of 3 per mm along Z; voxels of 5 mm become voxels of 2 mm.
    img = np.broadcast_to(np.arange(20.0)[:, None, None] * 15, (20, 8, 8))
    matrix = build_matrix((0, 0, 0), (1, 1, 1), (5, 1, 1), (2, 1, 1))
    warp = VolumeWarp(matrix, (9.5, 3.5, 3.5))
    patch, _ = apply(img, np.zeros(img.shape), warp, (9, 4, 4))
    expected = 9.5 * 15 + 6 * np.arange(-4, 5)
    np.testing.assert_allclose(patch[:, 0, 0], expected, rtol=1e-5)


def test_labels_stay_labels(rng):
    seg = rng.choice([0, 3, 7], SHAPE)
    control, cell = draw_control(1, (16, 16, 16), (1, 1, 1), std_mm=2.0, cell_mm=12.0)
    warp = VolumeWarp(
        build_matrix((10, 20, 30), (0.8, 1, 1.2), (1, 1, 1)),
        (12, 15, 14),
        control,
        cell,
    )
    _, labels = apply(seg, seg, warp, (16, 16, 16))
    assert set(np.unique(labels)) <= {0, 3, 7, IGNORE_LABEL}
    assert {0, 3, 7} <= set(np.unique(labels))


def test_the_deformation_is_as_strong_as_asked():
    size, spacing = (20, 24, 28), (2.0, 1.0, 0.5)
    found = []
    for seed in range(60):
        control, cell = draw_control(seed, size, spacing, std_mm=3, cell_mm=16)
        warp = VolumeWarp(np.eye(3), (39.5, 44.5, 49.5), control, cell)
        # A ramp shows where each voxel came from.
        ramp = np.broadcast_to(np.arange(90.0)[None, :, None], (80, 90, 100))
        patch, _ = apply(ramp, np.zeros(ramp.shape), warp, size)
        found.append(patch - (np.arange(24.0) + 33)[None, :, None])
    assert np.std(found) == pytest.approx(3.0, rel=0.1)
    assert np.diff(found, axis=2).min() > -1  # nothing folds


@settings(max_examples=40)
@given(
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    scale=st.tuples(*[st.floats(0.6, 1.6)] * 3),
    std=st.floats(0, 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_box_holds_all_that_a_patch_looks_at(angles, scale, std, seed):
    size, spacing = (10, 14, 12), (2.0, 1.0, 1.3)
    control, cell = draw_control(seed, size, spacing, std_mm=std, cell_mm=15.0)
    matrix = build_matrix(angles, scale, spacing)
    warp = VolumeWarp(matrix, (40.2, 41.7, 39.9), control, cell)
    box = find_source_box(warp, size)
    whole = np.random.default_rng(0).random((80, 84, 82))
    part = whole[tuple(slice(*axis) for axis in box)]
    seg = np.ones(whole.shape)
    patch, labels = apply(whole, seg, warp, size)
    shifted = warp.shift([first for first, _ in box])
    cut, kept = apply(part, np.ones(part.shape), shifted, size)
    assert (labels == 1).all()
    assert (kept == 1).all()
    np.testing.assert_allclose(cut, patch, atol=2e-4)


@pytest.mark.parametrize('axes', [(0,), (2,), (0, 1, 2)])
def test_mirrored_source_and_warp_give_the_mirrored_patch(rng, axes):
    img, seg = rng.random(SHAPE), rng.integers(0, 3, SHAPE)
    control, cell = draw_control(5, (9, 10, 7), (1, 1, 1), std_mm=1.5, cell_mm=8.0)
    matrix = build_matrix((20, -10, 35), (1.1, 0.9, 1), (1, 1, 1))
    warp = VolumeWarp(matrix, (11.0, 16.3, 12.8), control, cell)
    patch, labels = apply(img, seg, warp, (9, 10, 7))
    other = warp.mirror(axes, SHAPE)
    mirrored, kept = apply(np.flip(img, axes), np.flip(seg, axes), other, (9, 10, 7))
    np.testing.assert_allclose(mirrored, np.flip(patch, axes), atol=1e-4)
    assert (kept == np.flip(labels, axes)).mean() > 0.999
    assert other.mirror(axes, SHAPE).mirrored == (False, False, False)


def test_a_batch_is_its_parts(rng):
    img = torch.rand(3, 2, *SHAPE)
    seg = torch.randint(0, 2, (3, *SHAPE), dtype=torch.uint8)
    warps = [
        VolumeWarp(build_matrix((k, 0, 0), (1, 1, 1), (1, 1, 1)), (12.0, 15, 14))
        for k in (0, 20, 40)
    ]
    patches, labels = warp_volumes(img, seg, warps, (8, 8, 8))
    for k in range(3):
        one = warp_volumes(img[k : k + 1], seg[k : k + 1], warps[k : k + 1], (8, 8, 8))
        torch.testing.assert_close(patches[k : k + 1], one[0])
        assert torch.equal(labels[k : k + 1], one[1])


def test_what_does_not_fit_is_refused():
    img = torch.zeros(1, 1, 4, 4, 4)
    warp = VolumeWarp(np.eye(3), (1.5, 1.5, 1.5))
    with pytest.raises(ValueError, match='2 warps'):
        warp_volumes(img, None, [warp, warp], (4, 4, 4))
    with pytest.raises(ValueError, match='do not fit'):
        warp_volumes(img, torch.zeros(1, 4, 4, 5), [warp], (4, 4, 4))
    with pytest.raises(ValueError, match='must be > 0'):
        build_matrix((0, 0, 0), (1, 0, 1), (1, 1, 1))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
def test_the_device_makes_the_same_patch(rng):
    img = torch.rand(2, 1, *SHAPE)
    seg = torch.randint(0, 3, (2, *SHAPE), dtype=torch.uint8)
    control, cell = draw_control(5, (16, 16, 16), (1, 1, 1), std_mm=2, cell_mm=9.0)
    matrix = build_matrix((20, -10, 35), (1.1, 0.9, 1), (1, 1, 1))
    warps = [VolumeWarp(matrix, (11.0, 16.3, 12.8), control, cell)] * 2
    patch, labels = warp_volumes(img, seg, warps, (16, 16, 16))
    other, kept = warp_volumes(img.cuda(), seg.cuda(), warps, (16, 16, 16))
    torch.testing.assert_close(other.cpu(), patch, atol=1e-4, rtol=0)
    assert (kept.cpu() == labels).float().mean() > 0.999
