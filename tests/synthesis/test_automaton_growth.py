import numpy as np
import pytest
import torch

from mmmed.synthesis.automaton_growth import MAX_POPULATION, ColonyGrowth
from mmmed.synthesis.automaton_tissue import OUTSIDE, VESSEL


def start(codes, *starts, seed=0, **options):
    rng = np.random.default_rng(seed)
    return ColonyGrowth(codes, np.array(starts, np.int64), rng, **options)


def make_tissue(shape=(33, 35, 37), level=1):
    return np.full(shape, level, np.uint8)


def grow(codes, steps, *starts, **options):
    growth = start(codes, *starts, **options)
    growth.grow(steps)
    return growth.finish().population.numpy()


def find_drift(steps, seeds, **options):
    """Mean displacement of the tumor from its start, and its standard error."""
    middle = (24, 24, 24)
    drifts = [
        np.argwhere(grow(make_tissue((49,) * 3), steps, middle, seed=s, **options) > 0)
        .mean(0) - middle
        for s in range(seeds)
    ]  # fmt: skip
    return np.mean(drifts, 0), np.std(drifts, 0) / np.sqrt(seeds)


def test_a_core_ages_and_enters_its_neighbors():
    # Five steps from population 5 to 10, at most one new cell a step.
    for steps, most in ((0, 1), (1, 2), (2, 3)):
        population = grow(make_tissue(), steps, (16, 17, 18))
        assert (population > 0).sum() <= most
        assert population[16, 17, 18] >= 5 + steps
    assert population.sum() >= 7


def test_population_never_exceeds_ten_and_mass_never_falls():
    growth = start(make_tissue(), (16, 17, 18), (16, 17, 20))
    mass = 0
    for _ in range(30):
        growth.grow(1)
        population = growth.finish().population
        assert population.min() >= 0
        assert population.max() <= MAX_POPULATION
        assert population.sum() > mass
        mass = int(population.sum())


def test_growth_has_no_direction():
    drift, error = find_drift(24, 30)
    # Three standard errors, which are below a tenth of a cell.
    assert (error < 0.1).all()
    assert (np.abs(drift) < 3 * error + 0.02).all()


def test_published_rules_drift():
    # One draw in 28 goes two cells up, one back and one left.
    drift, error = find_drift(24, 30, as_published=True)
    direction = np.array([2, -1, -1]) / np.sqrt(6)
    assert drift @ direction > 3 * np.sqrt(error**2 @ direction**2)
    assert drift @ direction > 0.15


def test_dense_tissue_slows_growth_unless_published():
    sizes = [
        (grow(make_tissue(level=level), 30, (16, 17, 18)) > 0).sum()
        for level in (1, 2, 3)
    ]
    assert sizes[0] > 1.5 * sizes[1] > 1.5 * 1.5 * sizes[2]
    published = [
        grow(make_tissue(level=level), 20, (16, 17, 18), as_published=True)
        for level in (1, 3)
    ]
    assert np.array_equal(*published)


def test_a_wall_of_vessel_breaks_under_pressure_only():
    codes = make_tissue((31, 31, 31))
    codes[20:22] = VESSEL  # two thick: no diagonal way around
    early = start(codes, (15, 15, 15))
    early.grow(8)
    assert not early.finish().broken.any()
    assert not early.finish().population[20:].any()
    late = start(codes, (15, 15, 15))
    late.grow(60)
    colony = late.finish()
    assert colony.broken.any()
    crossed = colony.population.numpy() > 0
    # In the wall there is tumor exactly where it broke.
    assert not (crossed[20:22] & ~colony.broken.numpy()[20:22]).any()
    assert crossed[22:].any()
    published = grow(codes, 60, (15, 15, 15), as_published=True)
    assert not published[20:22].any()


def test_nothing_grows_outside_or_past_the_margin():
    codes = make_tissue((12, 13, 14))
    codes[:, :, 9:] = OUTSIDE
    population = grow(codes, 100, (6, 6, 6))
    assert not population[:, :, 9:].any()
    assert (population[:, :, :9] == MAX_POPULATION).all()  # filled, and it ended


def test_starts_on_barriers_or_outside_are_left_out():
    codes = make_tissue((8, 8, 8))
    codes[2, 2, 2] = VESSEL
    population = grow(codes, 10, (2, 2, 2), (-1, 3, 3), (8, 0, 0))
    assert not population.any()


def test_death_takes_full_cells_only_and_spreads():
    growth = start(make_tissue(), (16, 17, 18))
    growth.grow(30)
    before = growth.finish().population.clone()
    growth.die(np.array([[16, 17, 18], [0, 0, 0]]), 6)
    colony = growth.finish()
    dead = colony.necrotic.numpy()
    assert dead[16, 17, 18]
    assert not dead[0, 0, 0]
    # Every dead cell kills one a step at most.
    assert 2**3 < dead.sum() <= 2**6
    assert (colony.population.numpy()[dead] == MAX_POPULATION).all()
    assert torch.equal(colony.population, before)
    reach = np.abs(np.argwhere(dead) - (16, 17, 18)).max()
    assert reach <= 6


@pytest.mark.parametrize('published', [False, True])
def test_same_seed_same_tumor(published):
    one, two, other = (
        grow(make_tissue(), 25, (16, 17, 18), seed=s, as_published=published)
        for s in (3, 3, 4)
    )
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_forgetting_surrounded_cells_changes_nothing(monkeypatch):
    codes = make_tissue((25, 25, 25))
    codes[::5, ::3] = VESSEL
    grown = grow(codes, 40, (12, 13, 12))
    monkeypatch.setattr('mmmed.synthesis.automaton_growth._DROP_EVERY', 10**6)
    assert np.array_equal(grown, grow(codes, 40, (12, 13, 12)))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')
def test_every_device_gives_the_same_bits():
    codes = make_tissue()
    codes[::7, ::5] = VESSEL
    results = []
    for device in ('cpu', 'cuda'):
        growth = start(codes, (16, 17, 18), device=device)
        growth.grow(40)
        growth.die(np.array([[16, 17, 18]]), 5)
        results.append(growth.finish())
    assert torch.equal(results[0].population, results[1].population.cpu())
    assert torch.equal(results[0].necrotic, results[1].necrotic.cpu())
