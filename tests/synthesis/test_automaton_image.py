import numpy as np
import pytest
import torch

from mmmed.synthesis.automaton_growth import Colony
from mmmed.synthesis.automaton_image import (
    average_cells,
    draw_modulation,
    smooth_box,
)


def test_cells_are_averaged_over_their_voxel():
    population = torch.zeros((4, 3, 2), dtype=torch.int32)
    population[:2, 0, 0] = torch.tensor([10, 5])
    population[2, 1, 1] = 1
    necrotic = population == 10
    grown = average_cells(Colony(population, necrotic, necrotic), (2, 1, 1))
    assert grown.population.shape == (2, 3, 2)
    assert grown.population[0, 0, 0] == 7.5
    assert grown.population[1, 1, 1] == 0.5
    assert grown.necrosis[0, 0, 0] == 0.5
    assert grown.tumor.sum() == 1  # half a cell of population 1 is none


def test_blur_keeps_sums_away_from_the_border_and_constants_everywhere():
    values = torch.zeros((5, 6, 7))
    values[2, 3, 3] = 64
    blurred = smooth_box(values)
    assert blurred[2, 3, 3] == 8
    assert blurred[1, 2, 2] == 1
    assert blurred.sum() == 64
    assert smooth_box(values, in_plane=True)[2, 3, 3] == 16
    assert torch.equal(
        smooth_box(torch.full((1, 4, 3), 7.0)), torch.full((1, 4, 3), 7.0)
    )


def test_modulation_has_mean_one_and_follows_millimeters():
    rng = np.random.default_rng(0)
    field = draw_modulation(rng, (30, 90, 90), (3.0, 1.0, 1.0))
    assert field.dtype == np.float32
    assert field.mean() == pytest.approx(1, abs=0.02)
    assert field.std() == pytest.approx(0.1, abs=0.02)
    along_z = np.corrcoef(field[1:].ravel(), field[:-1].ravel())[0, 1]
    along_x = np.corrcoef(field[..., 3:].ravel(), field[..., :-3].ravel())[0, 1]
    assert along_z == pytest.approx(along_x, abs=0.1)  # both are 3 mm
