import math

import numpy as np
import pytest
import torch

from mmmed.synthesis import LesionRecord
from mmmed.synthesis.shape import (
    build_frames,
    compute_blurred_mean,
    evaluate_shapes,
    find_lesion_boxes,
    soften,
)

CPU = torch.device('cpu')
# Z to X, X to Y, Y to Z.
TURN = (0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0)


def make_lesion(radii=(6.0, 9.0, 12.0), center=(20.25, 20.0, 20.4), **values):
    return LesionRecord('small', center_mm=center, radii_mm=radii, **values)


def find_box(lesion, spacing, margin_mm):
    frames = build_frames([lesion])
    start, stop = find_lesion_boxes([lesion], frames, spacing, [margin_mm])[0].tolist()
    return tuple(slice(*ends) for ends in zip(start, stop, strict=True))


def evaluate_box(lesion, spacing, box):
    starts = np.array([[part.start for part in box]])
    size = [part.stop - part.start for part in box]
    frames = build_frames([lesion])
    depth, rho = evaluate_shapes([lesion], frames, spacing, starts, size, CPU)
    return depth[0], rho[0]


def evaluate(lesion, spacing, margin_mm=3.0):
    box = find_box(lesion, spacing, margin_mm)
    return box, *evaluate_box(lesion, spacing, box)


@pytest.mark.parametrize('spacing', [(1.0, 1.0, 1.0), (2.5, 0.7, 0.9)])
def test_without_deformation_it_is_the_ellipsoid(spacing):
    lesion = make_lesion()
    box, _, rho = evaluate(lesion, spacing)
    grid = np.mgrid[box] * np.reshape(spacing, (3, 1, 1, 1))
    away = grid - np.reshape(lesion.center_mm, (3, 1, 1, 1))
    expected = np.sqrt(((away / np.reshape(lesion.radii_mm, (3, 1, 1, 1))) ** 2).sum(0))
    np.testing.assert_allclose(rho, expected, atol=1e-4)
    volume = float((rho <= 1).sum()) * math.prod(spacing)
    assert volume == pytest.approx(lesion.nominal_volume_mm3, rel=0.03)


def test_rotation_turns_the_semi_axes():
    _, _, rho = evaluate(make_lesion(rotation=TURN), (1.0, 1.0, 1.0))
    size = [
        int((rho <= 1).any(dim=d[0]).any(dim=d[1]).sum())
        for d in ((1, 1), (0, 1), (0, 0))
    ]
    # The semi-axes lie along Y, X and Z now.
    assert [round(s / 2) for s in size] == [12, 6, 9]


def test_depth_of_a_ball_is_the_distance_to_its_surface():
    lesion = make_lesion(radii=(10.0,) * 3, center=(20.0,) * 3)
    box, depth, _ = evaluate(lesion, (1.0, 1.0, 1.0))
    grid = np.mgrid[box] - 20.0
    expected = 10 - np.sqrt((grid**2).sum(0))
    np.testing.assert_allclose(depth, expected, atol=0.02)


def test_displacement_of_the_centre_moves_the_lesion():
    moved = np.zeros((3, 3, 3, 3))
    moved[2] = -4.0  # u vanishes where x is 4 mm further
    lesion = make_lesion(displacement_mm=tuple(moved.ravel()), center=(20.0,) * 3)
    box, _, rho = evaluate(lesion, (1.0, 1.0, 1.0))
    place = np.argwhere((rho == rho.min()).numpy())[0]
    assert [p.start + i for p, i in zip(box, place, strict=True)] == [20, 20, 24]


@pytest.mark.parametrize('seed', range(20))
def test_the_box_holds_the_lesion_and_its_margin(seed):
    rng = np.random.default_rng(seed)
    radii = rng.uniform(6, 12, 3)
    moved = np.clip(rng.normal(0, 3, 81), -3, 3)
    lesion = make_lesion(
        radii=tuple(radii), displacement_mm=tuple(moved), center=(0.0, 0.0, 0.0)
    )
    spacing = (1.5, 1.0, 1.0)
    box = find_box(lesion, spacing, 2.0)
    wide = tuple(slice(p.start - 4, p.stop + 4) for p in box)
    depth, _ = evaluate_box(lesion, spacing, wide)
    inside = torch.zeros(depth.shape, dtype=torch.bool)
    inside[4:-4, 4:-4, 4:-4] = True
    assert not (depth[~inside] > -2).any()


def test_soft_edge_has_its_deviation_and_ends():
    depth = torch.linspace(-8, 8, 3201)
    weight = soften(depth, 1.5)
    assert weight[1600] == 0.5
    slope = torch.diff(weight).double()
    middle = (depth[1:] + depth[:-1]).double() / 2
    assert float((slope * middle**2).sum().sqrt()) == pytest.approx(1.5, rel=1e-3)
    assert weight[0] == 0
    assert weight[-1] == 1
    gauss = 0.5 * (1 + torch.erf(depth / (1.5 * math.sqrt(2))))
    assert float((gauss - weight).abs().max()) < 0.032


def test_blurred_mean_agrees_with_a_blurred_ball():
    from scipy.ndimage import gaussian_filter

    grid = np.mgrid[-24:25, -24:25, -24:25]
    ball = (grid**2).sum(0) <= 12**2
    for sigma in (3.0, 6.0):
        expected = gaussian_filter(ball.astype(float), sigma)[ball].mean()
        radius = (ball.sum() * 3 / (4 * math.pi)) ** (1 / 3)
        assert compute_blurred_mean(radius, sigma) == pytest.approx(expected, abs=0.01)


def test_a_lesion_does_not_depend_on_its_company():
    rng = np.random.default_rng(0)
    lesions = [
        make_lesion(
            radii=tuple(rng.uniform(3, 12, 3)),
            displacement_mm=tuple(rng.normal(0, 1, 81)),
            center=tuple(rng.uniform(20, 30, 3)),
        )
        for _ in range(5)
    ]
    spacing, margins = (2.5, 0.7, 0.9), [2.0, 1.0, 4.0, 3.0, 0.5]
    frames = build_frames(lesions)
    boxes = find_lesion_boxes(lesions, frames, spacing, margins)
    size = (boxes[:, 1] - boxes[:, 0]).max(axis=0).tolist()
    depth, rho = evaluate_shapes(lesions, frames, spacing, boxes[:, 0], size, CPU)
    for place, lesion in enumerate(lesions):
        box = find_box(lesion, spacing, margins[place])
        assert [[p.start for p in box], [p.stop for p in box]] == boxes[place].tolist()
        alone = evaluate_box(lesion, spacing, box)
        own = (place, *(slice(0, part.stop - part.start) for part in box))
        assert torch.equal(depth[own], alone[0])
        assert torch.equal(rho[own], alone[1])
