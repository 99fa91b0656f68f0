"""Layers of the lesion classifiers."""

import pytest
import torch

from mmmed.models.networks.classification.layers import (
    DropPath,
    Halve,
    Norm3d,
    average_map,
)


def test_pooling_leaves_single_slices():
    volume = torch.arange(12.0).reshape(1, 1, 1, 3, 4)
    assert Halve(3)(volume).tolist() == [[[[[5, 7]]]]]
    assert Halve(3, 'avg')(volume).tolist() == [[[[[2.5, 4.5]]]]]


def test_norm_of_a_single_value_uses_and_keeps_what_it_knows():
    norm = Norm3d(2)
    norm.running_mean += 3
    norm.running_var += 3
    value = torch.full((1, 2, 1, 1, 1), 5.0)
    # (5 - 3) / sqrt(4)
    torch.testing.assert_close(norm(value), torch.ones_like(value))
    assert norm.running_mean.tolist() == [3, 3]
    # Two values are measured.
    assert norm(torch.rand(1, 2, 1, 1, 2)).mean().abs() < 1e-6
    assert norm.running_mean[0] != 3


def test_drop_path_drops_whole_cases_and_keeps_the_mean():
    torch.manual_seed(0)
    x = torch.ones(4000, 2, 3)
    kept = DropPath(0.2)(x)
    assert kept.unique().tolist() == [0, 1.25]
    assert (kept.flatten(1).std(1) == 0).all()
    assert kept.mean() == pytest.approx(1, abs=0.03)
    assert DropPath(0.2).eval()(x) is x
    with pytest.raises(ValueError, match='must lie in'):
        DropPath(1.0)


@pytest.mark.parametrize(
    ('size', 'legacy', 'whole'),
    [((10, 5), 1.5, 2.0), ((3, 4), 1.5, 1.5), ((8, 10), 3.5, 4.5), ((4, 3), 1.0, 1.0)],
)
def test_legacy_average_covers_multiples_of_four(size, legacy, whole):
    """Columns are numbered: of five four count, of ten eight, of three all."""
    columns = torch.arange(float(size[1])).expand(1, 1, *size)
    assert average_map(columns, legacy_pool=True).item() == legacy
    assert average_map(columns).item() == whole
