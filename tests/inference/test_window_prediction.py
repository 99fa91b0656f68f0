"""Sliding windows plane by plane: the numbers of all at once, little memory."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmmed.functional.probabilities import activate_logits
from mmmed.functional.sliding_window import predict_by_windows
from mmmed.functional.tiling import compute_gaussian_weights
from mmmed.inference.adaptive_batch import AdaptiveBatch
from mmmed.inference.members import Member
from mmmed.inference.recipe import ScanRecipe
from mmmed.inference.scan_grid import ScanGrid
from mmmed.inference.window_prediction import plan_blocks, predict_volume
from mmmed.structures import Volume

SHAPES = [(17, 29, 23), (6, 8, 10), (7, 8, 10), (3, 20, 4), (1, 1, 1), (13, 5, 31)]
PLENTY = 1 << 30


def collect(grid, member, memory=PLENTY, batch=4):
    """All planes as one array, and how many there were."""
    shape = (member.recipe.out_channels, *grid.turned_shape)
    result = torch.full(shape, torch.nan)
    planes = list(
        predict_volume(
            grid, member, AdaptiveBatch(batch, lambda _: None), memory_bytes=memory
        )
    )
    for plane in planes:
        result[:, plane.index, plane.rows, plane.columns] = plane.prob
    return result, len(planes)


def predict_at_once(volume, member):
    recipe = member.recipe
    weights = None
    if recipe.window_weight == 'gaussian':
        weights = torch.from_numpy(compute_gaussian_weights(recipe.crop_size))
    (network,) = member.networks
    return predict_by_windows(
        torch.from_numpy(volume.array)[None, None],
        lambda windows, _: activate_logits(network(windows)),
        window=recipe.crop_size,
        stride=recipe.stride,
        window_weights=weights,
    )[0]


@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('weight', ['gaussian', 'constant'])
@pytest.mark.parametrize('memory', [PLENTY, 1])
def test_equals_all_at_once_bit_for_bit(
    shape, weight, memory, make_volume, recipe3d, convolution, rng
) -> None:
    recipe = dataclasses.replace(recipe3d, window_weight=weight)
    volume = make_volume(rng.normal(size=shape).astype('f4'))
    member = Member((convolution(3, 4),), recipe)
    found, _ = collect(ScanGrid(volume, recipe), member, memory)
    assert torch.equal(found, predict_at_once(volume, member))


SIZES = st.tuples(*[st.integers(1, 9)] * 3)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), shape=SIZES, window=SIZES, memory=st.sampled_from([1, 5000]))
def test_any_windows_on_any_grid(data, shape, window, memory) -> None:
    stride = tuple(data.draw(st.integers(1, size)) for size in window)
    recipe = ScanRecipe(
        classes=('a', 'b', 'c'),
        out_channels=3,
        dimension=3,
        orientation='SAR',
        crop_size=window,
        stride=stride,
    )
    scan = np.random.default_rng(sum(shape)).normal(size=shape).astype('f4')
    volume = Volume(scan, (3.0, 0.75, 1.25))

    def network(x):
        # Differs between the places of a window: blending matters.
        ramp = (
            torch.linspace(0, 1, x.shape[-1])
            + torch.linspace(0, 2, len(x[0, 0]))[:, None, None]
        )
        return torch.cat([x, ramp * x, -ramp * x], 1)

    member = Member((network,), recipe)
    found, _ = collect(ScanGrid(volume, recipe), member, memory)
    assert torch.equal(found, predict_at_once(volume, member))


@pytest.mark.parametrize('spacing', [(1.7, 1.3, 2.4), (4.0, 0.5, 0.8)])
def test_blocks_of_a_resampled_scan_fit_seamlessly(
    spacing, make_volume, recipe3d, convolution, rng
) -> None:
    recipe = dataclasses.replace(recipe3d, spacing=spacing)
    volume = make_volume(rng.normal(size=(7, 29, 23)).astype('f4'), 'PSR', 9.0)
    grid = ScanGrid(volume, recipe)
    member = Member((convolution(3, 4),), recipe)
    whole, _ = collect(grid, member)
    parts, _ = collect(grid, member, memory=1)
    assert len(plan_blocks(grid, recipe, 1)) > 4
    assert torch.equal(parts, whole)
    assert not whole.isnan().any()


def test_resampled_identity_gives_the_scan_back(fake, make_volume, recipe3d) -> None:
    """Linear there and back keeps a linear scan."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in (8, 24, 16)), indexing='ij')
    scan = (z + 0.5 * y - 0.7 * x).astype(np.float32)
    recipe = dataclasses.replace(
        recipe3d, classes=('no', 'yes'), out_channels=1, spacing=(2.0, 1.5, 1.0)
    )
    # logit(p) is not linear, so the network undoes the sigmoid that follows.
    network = fake(lambda x: ((x + 3) / 6).logit())
    grid = ScanGrid(make_volume(scan), recipe)
    found, _ = collect(grid, Member((network,), recipe))
    inner = np.s_[1:-1, 2:-2, 1:-1]
    np.testing.assert_allclose(
        (6 * found[0].numpy() - 3)[inner], scan[inner], atol=1e-5
    )


def test_blocks_cover_every_pixel_once_and_respect_memory(
    make_volume, recipe3d
) -> None:
    grid = ScanGrid(make_volume(np.zeros((5, 61, 47), 'f4')), recipe3d)
    assert plan_blocks(grid, recipe3d, PLENTY) == [(slice(0, 61), slice(0, 47))]
    window_bytes = 3 * 4 * 4 * 6 * 8 * 10
    budget = window_bytes + 4 * 4 * 7 * 300  # a ring of 7 planes of 300 pixels
    blocks = plan_blocks(grid, recipe3d, budget)
    count = np.zeros((61, 47), int)
    for rows, columns in blocks:
        count[rows, columns] += 1
        assert (rows.stop - rows.start) * (columns.stop - columns.start) <= 300
    assert (count == 1).all()
    sizes = {
        (r.stop - r.start, c.stop - c.start) for r, c in plan_blocks(grid, recipe3d, 1)
    }
    assert max(sizes) >= (4, 5)  # half a window at least


def test_a_scan_smaller_than_the_window_is_padded_and_cut(
    make_volume, recipe3d, fake
) -> None:
    network = fake(lambda x: torch.cat([x, -x, x, x], 1))
    recipe = dataclasses.replace(recipe3d, pad_value=-7.0)
    grid = ScanGrid(make_volume(np.ones((2, 3, 4), 'f4')), recipe)
    found, planes = collect(grid, Member((network,), recipe))
    assert network.shapes == [(1, 1, 6, 8, 10)]
    assert found.shape == (4, 2, 3, 4)
    assert planes == 2


def test_windows_at_a_time_follow_the_batch(make_volume, recipe3d, fake) -> None:
    network = fake(lambda x: x.repeat(1, 4, 1, 1, 1))
    grid = ScanGrid(make_volume(np.ones((6, 8, 40), 'f4')), recipe3d)
    collect(grid, Member((network,), recipe3d), batch=3)
    assert [shape[0] for shape in network.shapes] == [3, 3, 1]
