from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from mmmed.synthesis.automaton import grow_tumor
from mmmed.synthesis.automaton_plan import (
    GROWTH_RECIPES,
    GrowthPlan,
    draw_growth,
    get_growth_recipe,
)

SPACING = (2.0, 1.0, 1.1)


def make_organ(noise=12.0, shape=(24, 44, 40), dtype=np.float32):
    rng = np.random.default_rng(0)
    z, y, x = np.indices(shape)
    middle = np.array(shape) / 2
    organ = (
        sum(((a - m) / (m - 2)) ** 2 for a, m in zip((z, y, x), middle, strict=True))
        < 1
    )
    grain = gaussian_filter(rng.standard_normal(shape), 0.7)
    hu = np.where(organ, 110, 40) + noise * grain / grain.std()
    hu[:, 20:22, 18:20] = 200  # a vessel
    return hu.astype(dtype), organ


def draw(hu, organ, seed=0, organ_name='liver', **changes):
    recipe = replace(get_growth_recipe(organ_name), **changes)
    return draw_growth(hu, organ, SPACING, recipe, np.random.default_rng(seed))


@settings(max_examples=10)
@given(
    st.sampled_from(sorted(GROWTH_RECIPES)),
    st.integers(0, 10**6),
    st.booleans(),
    st.sampled_from([np.float32, np.int16]),
)
def test_invariants(organ_name, seed, as_published, dtype):
    hu, organ = make_organ(dtype=dtype)
    kept = hu.copy()
    plan = draw(hu, organ, seed, organ_name, as_published=as_published)
    grown = grow_tumor(hu, organ, SPACING, plan)
    assert np.array_equal(hu, kept)
    assert grown.image.dtype == dtype
    assert grown.label.dtype == np.uint8
    assert np.array_equal(grown.image[~organ], hu[~organ])
    assert not grown.label[~organ].any()
    assert set(np.unique(grown.label)) <= {0, 1, 2}
    if not as_published:
        tumor = grown.label == 2
        assert tumor.sum() == grown.tumor_voxels
        assert (grown.label[organ] > 0).all()  # dead cells are tumor
        assert (grown.image != hu)[tumor].mean() > 0.99


def test_replay_gives_the_same_bits():
    hu, organ = make_organ()
    plan = draw(hu, organ, 5, steps=(60, 60))
    again = GrowthPlan.from_json(plan.to_json())
    one, two = (grow_tumor(hu, organ, SPACING, p) for p in (plan, again))
    assert np.array_equal(one.image, two.image)
    assert np.array_equal(one.label, two.label)


def test_arrays_and_tensors_agree():
    hu, organ = make_organ()
    plan = draw(hu, organ, 5, steps=(40, 40))
    array = grow_tumor(hu, organ, SPACING, plan)
    tensor = grow_tumor(torch.from_numpy(hu), torch.from_numpy(organ), SPACING, plan)
    assert isinstance(tensor.image, torch.Tensor)
    assert np.array_equal(tensor.image.numpy(), array.image)
    assert np.array_equal(tensor.label.numpy(), array.label)


@pytest.mark.parametrize('seed', range(4))
@pytest.mark.parametrize('steps', [8, 30, 60])
def test_mean_shift_is_the_drawn_contrast(seed, steps):
    hu, organ = make_organ(noise=2)  # one level of tissue: no other change
    hu[hu > 130] = 110
    plan = draw(hu, organ, seed, steps=(steps, steps), death_chance=0.0)
    grown = grow_tumor(hu, organ, SPACING, plan)
    tumor = grown.label == 2
    change = (grown.image - hu)[tumor].mean()
    assert change == pytest.approx(-plan.contrast_hu, abs=2)
    assert grown.shift_hu == pytest.approx(change, abs=1e-3)


def test_dead_cells_are_darker_and_stay_tumor_unless_published():
    hu, organ = make_organ(noise=2)
    changes = {'steps': (70, 70), 'death_chance': 1.0, 'cores': (1, 1)}
    plan = draw(hu, organ, 3, **changes)
    alive = grow_tumor(hu, organ, SPACING, replace(plan, deaths=()))
    dead = grow_tumor(hu, organ, SPACING, plan)
    assert np.array_equal(alive.label, dead.label)
    darker = (dead.image - alive.image) < -5
    assert darker.sum() > 100
    assert dead.image.min() < alive.image.min() - 20
    published = grow_tumor(
        hu, organ, SPACING, draw(hu, organ, 3, as_published=True, **changes)
    )
    assert (published.label[organ] == 0).any()


@pytest.mark.parametrize('kind', ['empty', 'vessels only', 'one voxel'])
def test_thin_and_empty_organs_are_legal(kind):
    hu, organ = make_organ()
    if kind == 'vessels only':
        hu[:] = 500
    else:
        organ[:] = False
        organ[12, 10, 10] = kind == 'one voxel'
        hu[12, 10, 10] = 105
    grown = grow_tumor(hu, organ, SPACING, draw(hu, organ, 1, cores=(1, 1)))
    assert grown.tumor_voxels == (kind == 'one voxel')
    assert grown.is_empty == (kind != 'one voxel')
    if grown.is_empty:
        assert grown.shift_hu is None
        assert np.array_equal(grown.image, hu)
        assert np.array_equal(grown.label, organ)


def test_growth_covers_millimeters_not_voxels():
    extents = []
    for spacing in ((1.0, 1.0, 1.0), (3.0, 1.0, 2.0)):
        shape = tuple(int(60 / step) for step in spacing)
        hu, organ = np.full(shape, 110, np.float32), np.ones(shape, bool)
        recipe = replace(get_growth_recipe('liver'), steps=(40, 40))
        plan = draw_growth(hu, organ, spacing, recipe, np.random.default_rng(0))
        plan = replace(plan, cores=((30, 30, 30),), deaths=())
        places = np.argwhere(grow_tumor(hu, organ, spacing, plan).label == 2)
        extents.append(np.ptp(places, axis=0) * spacing)
    assert extents[0] == pytest.approx(extents[1], abs=5)
    assert extents[0] == pytest.approx([16] * 3, abs=4)


def test_pancreatic_fat_is_filled_up():
    hu, organ = make_organ(noise=2)
    hu[10:14] = 50
    plan = draw(hu, organ, 2, 'pancreas', steps=(60, 60), death_chance=0.0)
    with_fat = grow_tumor(hu, organ, SPACING, plan)
    recipe = replace(plan.recipe, fat_hu=None)
    without = grow_tumor(hu, organ, SPACING, replace(plan, recipe=recipe))
    brighter = with_fat.image - without.image
    assert brighter.max() > 20
    assert brighter.min() > -3


def test_shapes_must_agree():
    hu, organ = make_organ()
    plan = draw(hu, organ)
    with pytest.raises(ValueError, match=r'image has shape .* and organ'):
        grow_tumor(hu, organ[1:], SPACING, plan)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')
def test_the_device_gives_the_same_label():
    hu, organ = make_organ()
    plan = draw(hu, organ, 5, steps=(60, 60), death_chance=1.0)
    cpu = grow_tumor(torch.from_numpy(hu), torch.from_numpy(organ), SPACING, plan)
    gpu = grow_tumor(
        torch.from_numpy(hu).cuda(), torch.from_numpy(organ).cuda(), SPACING, plan
    )
    assert torch.equal(cpu.label, gpu.label.cpu())
    assert torch.allclose(cpu.image, gpu.image.cpu(), atol=1e-3)
